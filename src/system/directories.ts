import { join } from 'node:path';
import type { TorInstance } from '../core/tor-instance.ts';

/** Every path that a gateway uses. One flag (`--root`) moves all, so that several live on one machine. */
export interface Directories {
  /** gateway.yaml */
  readonly config: string;
  /** state.db, snapshot, keys/, tor/, services/: owner gateway, but tor/ owner gateway-tor */
  readonly state: string;
  /** api.sock, helper.sock, pid files, tor/: sockets; short, because a unix socket path ends at 107 bytes */
  readonly run: string;
}

export function directoriesIn(root: string | undefined): Directories {
  if (root === undefined) return { config: '/etc/gateway', state: '/var/lib/gateway', run: '/run/gateway' };
  return { config: join(root, 'etc'), state: join(root, 'lib'), run: join(root, 'run') };
}

/** Paths inside; one function, so that no two places spell one differently. */
export function pathsOf(directories: Directories) {
  const { config, state, run } = directories;
  return {
    configFile: join(config, 'gateway.yaml'),
    /** The owner's own lines for tor. */
    torrcDirectory: join(config, 'torrc.d'),
    keys: join(state, 'keys'),
    database: join(state, 'state.db'),
    snapshot: join(state, 'snapshot.json'),
    /** What the helper may do, written by the daemon at each applied generation. */
    applied: join(state, 'applied.json'),
    /** What the hosts of public names said yes to. */
    names: join(state, 'names.json'),
    /** What relays were asked to carry, and what they said. */
    carried: join(state, 'carried.json'),
    /** Who was told which public address of the home. */
    announced: join(state, 'announced.json'),
    /** Who was told what is wrong. */
    notified: join(state, 'notified.json'),
    /** Certificates with their keys, and what is known of who gave them. */
    certificates: join(state, 'certificates'),
    /** Ports that the router opened for us, and what renews and removes them. */
    mappings: join(state, 'mappings.json'),
    /** Private directory of a program started by `gateway service run`. */
    serviceDirectory: (service: string): string => join(state, 'services', service),
    ...torPaths(directories, 'tor'),
    ofTor: (instance: TorInstance) => torPaths(directories, instance),
    edgeState: join(state, 'edge'),
    edgeRun: join(run, 'edge'),
    edgeSocket: join(run, 'edge', 'haproxy.sock'),
    edgePid: join(run, 'edge', 'pid'),
    /** Of the process above all workers, also those that were replaced and have connections left. */
    edgeMaster: join(run, 'edge', 'master.sock'),
    /** Of the daemon, for HAProxy alone: what hands out certificates of devices. */
    handoutRun: join(run, 'handouts'),
    handoutSocket: join(run, 'handouts', 'socket'),
    /** Of the process in the hub that brings devices to HAProxy, and where HAProxy takes them. */
    doorState: join(state, 'door'),
    doorRun: join(run, 'door'),
    edgeDoor: join(run, 'edge', 'door.sock'),
    /** Where the visitors of an onion come to HAProxy; tor alone can reach it. */
    onionDoors: join(run, 'onions'),
    onionDoor: (instance: TorInstance, service: string): string => join(run, 'onions', instance, service),
    apiSocket: join(run, 'api.sock'),
    helperSocket: join(run, 'helper.sock'),
    daemonPid: join(run, 'daemon.pid'),
    daemonLock: join(state, 'daemon.lock'),
    helperPid: join(run, 'helper.pid'),
    logs: join(run, 'log'),
  };
}
/** Everything of one tor process: a directory of its own in `state`, one in `run`. */
function torPaths({ state, run }: Directories, instance: TorInstance) {
  return {
    torInstance: instance,
    torState: join(state, instance),
    torRun: join(run, instance),
    torControl: join(run, instance, 'control.sock'),
    torSocks: join(run, instance, 'socks.sock'),
    torPid: join(run, instance, 'pid'),
  };
}

export type Paths = ReturnType<typeof pathsOf>;
