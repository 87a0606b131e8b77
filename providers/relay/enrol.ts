import type { EnrolmentInput, Exposure, Handout, Observed } from '../../src/core/contract.ts';
import { pageHandouts } from '../../src/core/page-handouts.ts';
import { Options, type Settings, type Spec } from './spec.ts';
import { addresses } from './url.ts';

export function isForDevices({ options }: Exposure): boolean {
  return Options.safeParse(options).data?.access === 'devices';
}

/** What the device holds opens its pages on every way. */
export function enrol(
  { device, certificate, exposures }: EnrolmentInput<Settings>,
  observed: readonly Observed<Spec>[],
): Handout[] {
  const pages = exposures.filter(isForDevices).flatMap(({ service, options }) => {
    const parsed = Options.parse(options);
    return addresses({ service, options: parsed }, observed).map(({ url }) => ({
      service: service.name,
      url,
    }));
  });
  return pageHandouts(device.name, certificate, pages);
}
