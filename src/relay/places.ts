import { join } from 'node:path';
import { type Directories, pathsOf } from '../system/directories.ts';

const DEFAULT_STATE = '/var/lib/gateway-relay';
const DEFAULT_RUN = '/run/gateway-relay';

/** The name of the interface in which homes come; one relay a machine. */
export const TUNNEL_INTERFACE = 'gwr0';

/**
 * Everything that a relay which carries visitors uses.
 *
 *   state/           root      0711
 *     members/       gateway   0700   key and certificate for homes, invites, homes, what they hold
 *     root/          root      0700   private key of the tunnel, block of addresses
 *     edge/          root      0750   haproxy.cfg, names.map, haproxy.log
 *   run/             root      0711   root.sock: 0660, group gateway
 *     front/         gateway   0700   control.sock
 *     edge/          gateway-edge     haproxy.sock, pid
 */
export function relayPlaces(state: string | undefined) {
  const directories: Directories = {
    config: state ?? DEFAULT_STATE,
    state: state ?? DEFAULT_STATE,
    run: state === undefined ? DEFAULT_RUN : join(state, 'run'),
  };
  return {
    directories,
    paths: pathsOf(directories),
    members: join(directories.state, 'members'),
    root: join(directories.state, 'root'),
    front: join(directories.run, 'front'),
    rootSocket: join(directories.run, 'root.sock'),
    controlSocket: join(directories.run, 'front', 'control.sock'),
  };
}
export type RelayPlaces = ReturnType<typeof relayPlaces>;
