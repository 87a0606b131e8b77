import type { PlaceReport } from '../core/control.ts';
import { RESOLVING_SOCKETS } from './resolving-sockets.ts';

function enteredPlaceText({ service, address, port }: PlaceReport, entered: string): string {
  return [
    '',
    `${service} must listen on ${address}:${port} (or on all addresses) in the network namespace of ${entered}.`,
    'The gateway put one interface with that address there and changed nothing else, so it is not isolated:',
    'what else that namespace reaches, and who else reaches it, is up to whoever made it.',
  ].join('\n');
}

/** How a real service gets to where the gateway expects it. Pure. */
export function placeText(place: PlaceReport): string {
  const { service, port, address, target, entered } = place;
  if (entered !== null) return enteredPlaceText(place, entered);
  if (place.namespacePath === null || place.namespace === null) {
    const where =
      target !== null
        ? `at ${target}, another machine: whoever is in that network can reach it too`
        : `in this machine's own network, port ${port}: other programs here can reach it too`;
    return `\n${service} is not isolated: it runs ${where}.`;
  }
  return [
    '',
    `${service} must listen on ${address}:${port} (or on all addresses) inside ${place.namespacePath}.`,
    '',
    `As a systemd service: systemctl edit ${service}.service`,
    '  [Service]',
    `  NetworkNamespacePath=${place.namespacePath}`,
    ...['hosts', 'resolv.conf', 'nsswitch.conf'].map(
      (file) => `  BindReadOnlyPaths=-/etc/netns/${place.namespace}/${file}:/etc/${file}`,
    ),
    `  InaccessiblePaths=${RESOLVING_SOCKETS.map((path) => `-${path}`).join(' ')}`,
    'As a container (Docker cannot join a namespace by its path, podman can):',
    `  podman run --network ns:${place.namespacePath} …`,
    'As a program of its own unprivileged user:',
    `  gateway service run ${service} -- COMMAND`,
  ].join('\n');
}
