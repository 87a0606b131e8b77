import { run } from './run.ts';

/**
 * Tells systemd that this service is ready (sd_notify(3)); does nothing where it was not started by systemd. By its own
 * program, because Node has no datagram sockets of the unix kind.
 */
export async function notifyReady(status: string, signal: AbortSignal): Promise<void> {
  if ((process.env['NOTIFY_SOCKET'] ?? '') === '') return;
  await run(['systemd-notify', '--ready', `--status=${status}`], { signal });
}
