import type { ClientBundle, Handout } from './contract.ts';

/** A page that lets in only devices. */
export interface PageForDevices {
  readonly service: string;
  readonly url: string;
}

/** The certificate that a device installs, where one was made for it now, and the pages that it opens. */
export function pageHandouts(
  device: string,
  certificate: ClientBundle | undefined,
  pages: readonly PageForDevices[],
): Handout[] {
  const links = pages.map(({ service, url }): Handout => {
    const label = `${service} on the web, for devices that were added`;
    return { kind: 'link', label, file: `${device}-${service}.txt`, secret: false, text: url };
  });
  if (certificate === undefined) return links;
  const { pkcs12, password } = certificate;
  return [
    {
      kind: 'client-certificate',
      label: `Certificate of ${device}, as PKCS#12`,
      file: `${device}.p12`,
      secret: true,
      text: pkcs12,
    },
    {
      kind: 'client-certificate-password',
      label: 'Its password, which the device asks for',
      file: `${device}-password.txt`,
      secret: true,
      text: password,
    },
    ...links,
  ];
}
