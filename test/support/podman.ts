import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Machine } from './machine.ts';

/** Real podman with real containers, in a machine of a test: its own store, no images, no networks of its own. */
export interface Podman {
  /** Starts a container with a network namespace of its own; `command` runs with this project's node as `node`. */
  start(name: string, ...command: readonly string[]): Promise<void>;
  podman(...words: readonly string[]): Promise<string>;
  /** Process id of a container's first process. */
  pidOf(name: string): Promise<string>;
}

/** Why podman cannot run here; `undefined` when it can. Without root the lab has no cgroups to give. */
export const PODMAN_LACKS = process.getuid?.() === 0 ? undefined : 'podman needs root in this test';

const SET_UP = `
set -e
mount -t cgroup2 cgroup /sys/fs/cgroup
for folder in usr lib lib64 bin; do
  [ -e /$folder ] || continue
  mkdir -p /run/rootfs/$folder
  mount --bind /$folder /run/rootfs/$folder
done
mkdir -p /run/rootfs/proc /run/rootfs/sys /run/rootfs/dev /run/rootfs/etc /run/rootfs/run /run/rootfs/tmp /run/rootfs/opt
mount --bind "$1" /run/rootfs/opt
`;

const STORAGE = `[storage]
driver = "vfs"
graphroot = "/run/podman/root"
runroot = "/run/podman/run"
`;

const POLICY = '{"default":[{"type":"insecureAcceptAnything"}]}';

export async function startPodman(machine: Machine): Promise<Podman> {
  const etc = machine.outside('/etc/containers');
  await mkdir(etc, { recursive: true });
  const [crun, conmon] = [await pathOf(machine, 'crun'), await pathOf(machine, 'conmon')];
  const engine = `[containers]
cgroups = "disabled"
seccomp_profile = "unconfined"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
conmon_path = ["${conmon}"]
[engine.runtimes]
crun = ["${crun}"]
`;
  await writeFile(join(etc, 'storage.conf'), STORAGE);
  await writeFile(join(etc, 'containers.conf'), engine);
  await writeFile(join(etc, 'policy.json'), POLICY);
  await writeFile(join(etc, 'registries.conf'), '');
  await machine.sh('sh', '-c', SET_UP, 'sh', dirname(process.execPath));
  const podman = (...words: readonly string[]): Promise<string> => machine.sh('podman', ...words);
  return {
    podman,
    start: async (name, ...command) => {
      const options = ['--detach', '--name', name, '--network', 'none', '--rootfs', '/run/rootfs'];
      await podman('run', ...options, ...command.map((word) => (word === 'node' ? '/opt/node' : word)));
    },
    pidOf: (name) => podman('inspect', '--type', 'container', '--format', '{{.State.Pid}}', name),
  };
}

async function pathOf(machine: Machine, program: string): Promise<string> {
  return machine.sh('sh', '-c', `command -v ${program}`);
}
