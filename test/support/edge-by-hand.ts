import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/** What HAProxy says to somebody who has its socket: an administrator, not us. */
export function tellByHand(path: string, command: string): Promise<string> {
  const socket = connect(path);
  socket.end(`${command}\n`);
  return text(socket);
}
