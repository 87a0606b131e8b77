import type { ControlHome } from '../relay/control.ts';

/** The homes of a relay, for whoever runs it. */
export function renderHomes(homes: readonly ControlHome[]): string {
  if (homes.length === 0) return 'No home has joined. For one: gateway relay invite';
  return homes.map(renderHome).join('\n');
}

function renderHome({ home, since, carrying }: ControlHome): string {
  const joined = `joined ${since.slice(0, 10)}`;
  if (carrying === null) return `${home}  ${joined}, nothing is carried for it`;
  const { handshakeAgeSeconds: age, receivedBytes, sentBytes, names, ports, devicesPort } = carrying;
  const seen = age === null ? 'not seen since the relay is up' : `seen ${age} s ago`;
  const held = [
    ...names,
    ...ports.map(({ protocol, from, to }) => `${protocol} ${from}${to === undefined ? '' : `-${to}`}`),
    ...(devicesPort === null ? [] : [`devices by udp ${devicesPort}`]),
  ];
  const lines = [
    `${home}  ${joined}, ${seen}, ${megabytes(receivedBytes)} from it, ${megabytes(sentBytes)} to it`,
    `  ${held.length === 0 ? 'asks for nothing' : held.join(', ')}`,
  ];
  return lines.join('\n');
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
