// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 16550A as drivers expect it. What is sent goes out at once, so the transmitter
 * is always empty; the line never has errors other than an overrun in loopback.
 */
#include <linux/serial_reg.h>
#include <string.h>

#include "hw/serial.h"

/* So many looks for input make a driver one that polls for it. */
#define POLLS_MAX 8

#define MSR_READY (UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS)

static u8 interrupt_id(const struct serial *s)
{
	if ((s->ier & UART_IER_RLSI) && s->overrun)
		return UART_IIR_RLSI;
	if ((s->ier & UART_IER_RDI) && s->count)
		return UART_IIR_RDI;
	if ((s->ier & UART_IER_THRI) && s->thr_empty_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void update_irq(struct serial *s)
{
	bool irq = interrupt_id(s) != UART_IIR_NO_INT;

	if (irq == s->irq)
		return;
	s->irq = irq;
	irq_wire_set(s->vm, s->gsi, irq);
}

static void push(struct serial *s, u8 c)
{
	if (s->count == SERIAL_FIFO_SIZE) {
		s->overrun = true;
		return;
	}
	s->fifo[(s->head + s->count++) % SERIAL_FIFO_SIZE] = c;
}

static u8 pop(struct serial *s)
{
	u8 c;

	if (!s->count)
		return 0;
	c = s->fifo[s->head];
	s->head = (s->head + 1) % SERIAL_FIFO_SIZE;
	s->count--;
	return c;
}

/*
 * A driver clears the FIFO when it sets the port up, and input that came earlier would
 * be lost. It waits at the other end of the line until the driver enables the interrupt
 * for it, or looks for it again and again. A look before sending is not for input.
 */
static bool is_listening(const struct serial *s)
{
	return !(s->mcr & UART_MCR_LOOP) && ((s->ier & UART_IER_RDI) || s->polls == POLLS_MAX);
}

static void ask_for_input(struct serial *s)
{
	/* Not for each byte: that costs a turn of the main loop. */
	if (s->full && s->count <= SERIAL_FIFO_SIZE / 2 && is_listening(s)) {
		s->full = false;
		chardev_resume(s->chardev);
	}
}

static u8 modem_status(const struct serial *s)
{
	u8 msr = 0;

	if (!(s->mcr & UART_MCR_LOOP))
		return MSR_READY;
	/* In loopback the outputs are the inputs. */
	if (s->mcr & UART_MCR_DTR)
		msr |= UART_MSR_DSR;
	if (s->mcr & UART_MCR_RTS)
		msr |= UART_MSR_CTS;
	if (s->mcr & UART_MCR_OUT1)
		msr |= UART_MSR_RI;
	if (s->mcr & UART_MCR_OUT2)
		msr |= UART_MSR_DCD;
	return msr;
}

static u8 reg_read(struct serial *s, unsigned int reg)
{
	u8 val = 0;

	switch (reg) {
	case UART_RX:
		return s->lcr & UART_LCR_DLAB ? s->dll : pop(s);
	case UART_IER:
		return s->lcr & UART_LCR_DLAB ? s->dlm : s->ier;
	case UART_IIR:
		val = interrupt_id(s);
		if (val == UART_IIR_THRI)
			s->thr_empty_pending = false;
		if (s->fcr & UART_FCR_ENABLE_FIFO)
			val |= 0xc0;
		return val;
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		val = UART_LSR_THRE | UART_LSR_TEMT;
		if (s->count)
			val |= UART_LSR_DR;
		else if (s->polls < POLLS_MAX)
			s->polls++;
		if (s->overrun)
			val |= UART_LSR_OE;
		s->overrun = false;
		return val;
	case UART_MSR:
		return modem_status(s);
	case UART_SCR:
		return s->scr;
	}
	return val;
}

/* True if @val is to be sent. */
static bool reg_write(struct serial *s, unsigned int reg, u8 val)
{
	unsigned int polls = s->polls;

	s->polls = 0;
	switch (reg) {
	case UART_TX:
		if (s->lcr & UART_LCR_DLAB) {
			s->dll = val;
			break;
		}
		s->thr_empty_pending = true;
		if (polls)
			s->polls = polls - 1;
		if (!(s->mcr & UART_MCR_LOOP))
			return true;
		push(s, val);
		break;
	case UART_IER:
		if (s->lcr & UART_LCR_DLAB) {
			s->dlm = val;
			break;
		}
		/* Enabling it raises the interrupt if the transmitter is empty. */
		if ((val & UART_IER_THRI) && !(s->ier & UART_IER_THRI))
			s->thr_empty_pending = true;
		s->ier = val & (UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI);
		break;
	case UART_FCR:
		s->fcr = val;
		if (val & UART_FCR_CLEAR_RCVR) {
			while (s->count)
				pop(s);
		}
		break;
	case UART_LCR:
		s->lcr = val;
		break;
	case UART_MCR:
		s->mcr = val & 0x1f;
		break;
	case UART_SCR:
		s->scr = val;
		break;
	}
	return false;
}

static void port_access(void *opaque, u64 off, void *data, unsigned int len, bool write)
{
	struct serial *s = opaque;
	u8 *bytes = data;
	bool send = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned int i = 0; i < len; i++) {
		/* Only the first byte can be for the transmitter. */
		if (write)
			send |= reg_write(s, off + i, bytes[i]);
		else
			bytes[i] = reg_read(s, off + i);
	}
	update_irq(s);
	ask_for_input(s);
	pthread_mutex_unlock(&s->lock);
	/* May block: without the lock, as the main loop takes that for input. */
	if (send)
		chardev_put(s->chardev, bytes, 1);
}

static size_t receive(void *opaque, const u8 *data, size_t len)
{
	struct serial *s = opaque;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	while (n < len && s->count < SERIAL_FIFO_SIZE && is_listening(s))
		push(s, data[n++]);
	s->full = n < len;
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}

static const struct chardev_user serial_user = {.receive = receive};

int serial_init(struct serial *serial, struct vm *vm, struct bus *bus, u64 base, u32 gsi,
		struct chardev *chardev)
{
	memset(serial, 0, sizeof(*serial));
	serial->vm = vm;
	serial->chardev = chardev;
	serial->gsi = gsi;
	pthread_mutex_init(&serial->lock, NULL);
	chardev_connect(chardev, &serial_user, serial);
	return bus_add(bus, base, 8, port_access, serial);
}
