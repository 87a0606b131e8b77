import type { EnrolmentInput, Exposure, Handout, Observed } from '../../src/core/contract.ts';
import { pageHandouts } from '../../src/core/page-handouts.ts';
import { Options, siteKey, type Settings, type Spec } from './spec.ts';
import { urlOf } from './url.ts';

export function isForDevices({ options }: Exposure): boolean {
  return Options.safeParse(options).data?.access === 'devices';
}

export function enrol(
  { device, certificate, exposures }: EnrolmentInput<Settings>,
  observed: readonly Observed<Spec>[],
): Handout[] {
  const pages = exposures.filter(isForDevices).flatMap(({ service }) => {
    const found = observed.find(({ key }) => key === siteKey(service.name));
    return found === undefined ? [] : [{ service: service.name, url: urlOf(found.spec) }];
  });
  return pageHandouts(device.name, certificate, pages);
}
