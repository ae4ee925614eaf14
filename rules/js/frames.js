// Frames on the socket that the parent handed down: four bytes of length, then JSON. Never standard output: rules print there.
'use strict';

const net = require('node:net');

// Kept from before any rule runs.
const { parse, stringify } = JSON;
const { nextTick } = process;

class Frames {
  /** `onMessage` gets every message; `onEnd` is called when the parent is gone. */
  constructor(descriptor, onMessage, onEnd) {
    this.socket = new net.Socket({ fd: descriptor, readable: true, writable: true });
    this.buffer = Buffer.alloc(0);
    this.onMessage = onMessage;
    this.corked = false;
    this.socket.on('data', (data) => this.feed(data));
    for (const event of ['end', 'close', 'error']) this.socket.on(event, onEnd);
  }

  feed(data) {
    let buffer = this.buffer.length ? Buffer.concat([this.buffer, data]) : data;
    while (buffer.length >= 4) {
      const end = 4 + buffer.readUInt32BE(0);
      if (buffer.length < end) break;
      const message = parse(buffer.toString('utf8', 4, end));
      buffer = buffer.subarray(end);
      this.buffer = buffer; // before the message: what it does may come back here
      this.onMessage(message);
    }
    this.buffer = buffer;
  }

  /** Sends with what else is sent in this turn. */
  send(message) {
    this.sendText(stringify(message));
  }

  /** Sends JSON that is already text. */
  sendText(text) {
    if (!this.corked) {
      this.corked = true;
      this.socket.cork();
      nextTick(() => this.flush());
    }
    this.write(text);
  }

  /** Sends before the next line of the caller runs: a rule may never give the turn back. */
  sendNow(message) {
    this.flush();
    this.write(stringify(message));
  }

  flush() {
    if (!this.corked) return;
    this.corked = false;
    this.socket.uncork();
  }

  write(text) {
    const size = Buffer.byteLength(text);
    const frame = Buffer.allocUnsafe(4 + size);
    frame.writeUInt32BE(size, 0);
    frame.write(text, 4, size, 'utf8');
    this.socket.write(frame);
  }
}

exports.Frames = Frames;
