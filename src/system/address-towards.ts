import { createSocket } from 'node:dgram';

/** Which of our addresses packets to `host` carry: what the kernel would choose. Nothing is sent; `undefined`: no route. */
export function addressTowards(host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (address: string | undefined): void => {
      socket.removeAllListeners().on('error', () => undefined);
      socket.close();
      resolve(address);
    };
    socket.on('error', () => end(undefined));
    // Discard: connecting a UDP socket chooses the route and no more.
    socket.connect(9, host, () => end(socket.address().address));
  });
}
