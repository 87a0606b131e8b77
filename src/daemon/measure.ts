import { renderMetrics } from '../core/metrics.ts';
import type { Ports } from '../core/ports.ts';
import type { CertificateKeeper } from '../system/acme/keeper.ts';
import type { StatusReporter } from './status-reporter.ts';

export interface MeasureOptions {
  readonly reporter: StatusReporter;
  readonly certifier: CertificateKeeper;
  readonly ports: Ports;
}

/** Asks nobody outside: whoever reads this does so often. */
export async function measure({ reporter, certifier, ports }: MeasureOptions): Promise<string> {
  const [status, certificates, mappings] = await Promise.all([
    reporter.report(),
    certifier.kept(),
    ports.mapper.kept(),
  ]);
  const measured = {
    status,
    certificates: certificates.map(({ report }) => report),
    mappings: mappings.map(({ report }) => report),
  };
  return renderMetrics(measured, ports.now());
}
