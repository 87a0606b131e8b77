import type { PortsReport } from '../core/mapper.ts';
import { GatewayError } from '../core/errors.ts';
import type { Through } from '../core/through.ts';
import type { Recorder } from './journal.ts';
import { reportPorts, type PortsReportOptions } from './ports-report.ts';

type Options = PortsReportOptions & { readonly record: Recorder };

/** Only from where the owner looked: the same addresses stand in many homes. */
export async function openThrough(
  options: Options,
  through: Through,
  signal: AbortSignal,
): Promise<PortsReport> {
  const { router } = await options.ports.mapper.look(signal);
  if (router !== through.first) {
    throw new GatewayError(`this machine is behind ${router ?? 'no router'}, not behind ${through.first}`, {
      code: 'InvalidRequest',
    });
  }
  const hops = through.hops.map((hop) => hop.router).join(', ');
  options.record('mapping.allowed', `routers farther out may be asked to open ports: ${hops}`, {});
  await options.ports.mapper.openThrough(through, signal);
  return reportPorts(options, signal);
}

export async function closeThrough(options: Options, signal: AbortSignal): Promise<PortsReport> {
  await options.ports.mapper.closeThrough(signal);
  options.record('mapping.allowed', 'routers farther out are not asked any more', {});
  return reportPorts(options, signal);
}
