import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileError } from '../system/files.ts';
import { detach, run, type Argv } from '../system/run.ts';
import type { UserIds } from './environment.ts';
import { asUser, type Capability } from './run-as.ts';

/** A process of the data path, which must outlive us. */
export interface Outliving {
  /** Name of its systemd unit, where there is systemd: `gateway-tor`. */
  readonly unit: string;
  readonly argv: Argv;
  /** Path of the network namespace that it lives in; absent: the host's. */
  readonly netns?: string;
  /** `undefined`: root. */
  readonly user?: UserIds;
  readonly capabilities?: readonly Capability[];
  /** Directories that it may write to. */
  readonly writable: readonly string[];
  /** stdout and stderr are appended here. */
  readonly logFile: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Set in gateway-helper.service: whoever runs the helper by hand keeps its processes to themselves. */
const IS_SYSTEMD = (): boolean => process.env['GATEWAY_SUPERVISOR'] === 'systemd';

/**
 * Starts it where our own end does not reach it: in a unit of its own under systemd, which ends everything in our control
 * group when it ends us; in a session of its own elsewhere. Resolves with its pid.
 */
export async function startOutliving(job: Outliving, signal: AbortSignal): Promise<number> {
  if (IS_SYSTEMD()) return startUnit(job, signal);
  const prefix = job.user === undefined ? [] : asUser(job.user, job.capabilities);
  const within = job.netns === undefined ? [] : ['nsenter', `--net=${job.netns}`, '--'];
  const argv = [...within, ...prefix, ...job.argv] as unknown as Argv;
  return detach(argv, { logFile: job.logFile, cwd: '/', env: job.env });
}

/** What no process of the data path needs; systemd.exec(5). */
const SANDBOX = [
  'NoNewPrivileges=yes',
  'ProtectSystem=strict',
  'ProtectHome=yes',
  'PrivateTmp=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'ProtectKernelLogs=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectClock=yes',
  'ProtectProc=invisible',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'KeyringMode=private',
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallErrorNumber=EPERM',
  'LimitNOFILE=65536',
  // A process that was ended is started again by the next pass, which first checks what it will read.
  'Restart=no',
];

/** What stops an earlier unit may wait for its processes (DefaultTimeoutStopSec). */
const SYSTEMD_TIMEOUT_MS = 100_000;

async function startUnit(job: Outliving, signal: AbortSignal): Promise<number> {
  const { unit, argv, env } = job;
  // What is left of an earlier one, its name above all.
  await run(['systemctl', 'stop', unit], { signal, timeoutMs: SYSTEMD_TIMEOUT_MS, accept: [0, 5] });
  await run(['systemctl', 'reset-failed', unit], { signal, accept: [0, 1] });
  const properties = [...SANDBOX, ...(await propertiesOf(job))];
  await run(
    [
      'systemd-run',
      '--quiet',
      '--collect',
      '--service-type=exec',
      `--unit=${unit}`,
      `--description=Gateway: ${basename(argv[0])}, of the data path`,
      ...properties.map((property) => `--property=${property}`),
      ...Object.entries(env).map(([name, value]) => `--setenv=${name}=${value}`),
      '--',
      ...argv,
    ],
    { signal, timeoutMs: SYSTEMD_TIMEOUT_MS },
  );
  const { stdout } = await run(['systemctl', 'show', '--property=MainPID', '--value', unit], { signal });
  return Number(stdout.trim());
}

async function propertiesOf({
  user,
  netns,
  capabilities = [],
  writable,
  logFile,
}: Outliving): Promise<string[]> {
  const log = await realFile(logFile);
  const kept = capabilities.map((name) => `CAP_${name.toUpperCase()}`).join(' ');
  const identity =
    user === undefined
      ? // wireguard-go: makes its interface through /dev/net/tun.
        ['CapabilityBoundingSet=CAP_NET_ADMIN', 'DevicePolicy=closed', 'DeviceAllow=/dev/net/tun rw']
      : [
          `User=${user.uid}`,
          `Group=${user.gid}`,
          `CapabilityBoundingSet=${kept}`,
          `AmbientCapabilities=${kept}`,
          'PrivateDevices=yes',
          'ProcSubset=pid',
        ];
  return [
    ...identity,
    ...(netns === undefined ? [] : [`NetworkNamespacePath=${netns}`]),
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    `ReadWritePaths=${writable.join(' ')}`,
    `StandardOutput=append:${log}`,
    `StandardError=append:${log}`,
  ];
}

/** systemd opens it itself, so it must not be one of our own descriptors. */
async function realFile(path: string): Promise<string> {
  try {
    return join(await realpath(dirname(path)), basename(path));
  } catch (error) {
    throw fileError(`${path} could not be found`, error);
  }
}
