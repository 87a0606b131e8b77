import type { EnrolmentInput, Exposure, Handout, Observed } from '../../src/core/contract.ts';
import { Options, siteKey, type Settings, type Spec } from './spec.ts';
import { urlOf } from './url.ts';

export function isForDevices({ options }: Exposure): boolean {
  return Options.safeParse(options).data?.access === 'devices';
}

/** The certificate that a device installs, where it has none yet, and the pages that it opens. */
export function enrol(
  { device, certificate, exposures }: EnrolmentInput<Settings>,
  observed: readonly Observed<Spec>[],
): Handout[] {
  const pages = exposures.filter(isForDevices).flatMap(({ service }): Handout[] => {
    const found = observed.find(({ key }) => key === siteKey(service.name));
    if (found === undefined) return [];
    const label = `${service.name} on the web, for devices that were added`;
    const file = `${device.name}-${service.name}.txt`;
    return [{ kind: 'link', label, file, secret: false, text: urlOf(found.spec) }];
  });
  if (certificate === undefined) return pages;
  const { pkcs12, password } = certificate;
  const name = device.name;
  return [
    {
      kind: 'client-certificate',
      label: `Certificate of ${name}, as PKCS#12`,
      file: `${name}.p12`,
      secret: true,
      text: pkcs12,
    },
    {
      kind: 'client-certificate-password',
      label: 'Its password, which the device asks for',
      file: `${name}-password.txt`,
      secret: true,
      text: password,
    },
    ...pages,
  ];
}
