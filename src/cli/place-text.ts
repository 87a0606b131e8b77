import type { PlaceReport } from '../core/control.ts';

/** How a real service gets to where the gateway expects it. Pure. */
export function placeText(place: PlaceReport): string {
  const { service, port, address, target } = place;
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
    ...['resolv.conf', 'nsswitch.conf'].map(
      (file) => `  BindReadOnlyPaths=-/etc/netns/${place.namespace}/${file}:/etc/${file}`,
    ),
    'As a container (Docker cannot join a namespace by its path, podman can):',
    `  podman run --network ns:${place.namespacePath} …`,
    'As a program of its own unprivileged user:',
    `  gateway service run ${service} -- COMMAND`,
  ].join('\n');
}
