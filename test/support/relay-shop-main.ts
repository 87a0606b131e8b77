import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';

/**
 * Both ends of what goes through a relay and is no page.
 *
 *   relay-shop-main.ts node PORT                  a Lightning node, as far as a visitor sees: says whom it sees, then echoes
 *   relay-shop-main.ts knock HOST PORT            prints what it says first, or `silence`
 *   relay-shop-main.ts echo HOST PORT SECONDS     sends 20 kB ten times a second; prints what of it did not come back
 *   relay-shop-main.ts socket NAME ROOT SECONDS   a WebSocket; prints how many echoes came, or that it was lost
 */
const [verb, first = '', second = '', third = ''] = process.argv.slice(2);

if (verb === 'node') {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(`you are ${socket.remoteAddress ?? ''}\n`);
    socket.pipe(socket);
  }).listen(Number(first), '0.0.0.0', () => console.log('ready'));
}

if (verb === 'knock') {
  const done = (text: string): never => {
    console.log(text);
    process.exit(0);
  };
  setTimeout(() => done('silence'), 3000);
  connect(Number(second), first)
    .on('data', (data) => done(String(data).trim()))
    .on('error', (error) => done(error.message));
}

if (verb === 'echo') {
  let [sent, received, greeting] = [0, 0, true];
  const socket = connect(Number(second), first);
  const end = (text: string): never => {
    console.log(text);
    process.exit(0);
  };
  socket.on('data', (data) => {
    received += greeting ? data.length - data.indexOf('\n') - 1 : data.length;
    greeting = false;
  });
  const sending = setInterval(() => {
    socket.write(Buffer.alloc(20_000));
    sent += 20_000;
  }, 100);
  setTimeout(
    () => {
      clearInterval(sending);
      // What is under way may come late.
      setInterval(() => received >= sent && end(`0 of ${sent} missing`), 100);
      setTimeout(() => end(`${sent - received} of ${sent} missing`), 10_000);
    },
    Number(third) * 1000,
  );
  socket.on('error', (error) => end(`lost: ${error.message}`));
  socket.on('close', () => end('lost'));
}

if (verb === 'socket') {
  const socket = connectTls({ host: first, port: 443, servername: first, ca: readFileSync(second) });
  let [echoes, isOpen] = [0, false];
  const end = (text: string): never => {
    console.log(text);
    process.exit(0);
  };
  socket.on('secureConnect', () => {
    const head = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    socket.write(`GET /live HTTP/1.1\r\nHost: ${first}\r\n${[...head, key].join('\r\n')}\r\n\r\n`);
  });
  socket.on('data', (data) => {
    if (isOpen) echoes += data.length;
    else if (String(data).startsWith('HTTP/1.1 101')) {
      isOpen = true;
      console.log('open');
      setInterval(() => socket.write('x'), 100);
      setTimeout(() => end(`echoes ${echoes}`), Number(third) * 1000);
    } else end(String(data));
  });
  socket.on('error', (error) => end(`lost: ${error.message}`));
  socket.on('close', () => end(`lost after ${echoes} echoes`));
}
