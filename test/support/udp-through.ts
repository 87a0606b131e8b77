import { NODE_INSIDE, type Lab } from '../../src/lab/index.ts';
import { outputOf } from './lab.ts';

/** Hears at home what comes in through the router's UDP port 51820, and sends to it from outside. */
export async function udpThrough(lab: Lab) {
  const logFile = `${lab.node('home').directory}/heard`;
  const listen = `require('node:dgram').createSocket('udp4').on('message', (text) => console.log(String(text))).bind(51820)`;
  await lab.node('home').detach([NODE_INSIDE, '-e', listen], { logFile });
  return {
    heard: (): Promise<string> => outputOf(lab, 'home', ['cat', logFile]),
    send: (text: string): Promise<string> =>
      outputOf(lab, 'outside', [
        NODE_INSIDE,
        '-e',
        `const s = require('node:dgram').createSocket('udp4'); s.send('${text}', 51820, '11.2.0.2', () => s.close())`,
      ]),
  };
}
