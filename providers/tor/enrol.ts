import type { EnrolmentInput, Handout, Observed } from '../../src/core/contract.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { encodeBase32, renderClientKeyFile } from '../../src/wire/onion.ts';
import { asksForKey } from './authorization.ts';
import { Options, type Settings, type Spec } from './spec.ts';
import { stateOf } from './state.ts';
import { urlOf } from './url.ts';

/** For each onion that asks for a key: its address, and the key in the form that each client takes. */
export function enrol(input: EnrolmentInput<Settings>, observed: readonly Observed<Spec>[]): Handout[] {
  const { device, exposures } = input;
  const privateKey = input.privateKey === '' ? undefined : base32Of(input.privateKey);
  return exposures.flatMap((exposure): Handout[] => {
    const { service } = exposure;
    if (!asksForKey({ service, options: Options.parse(exposure.options) })) return [];
    const { hostname } = stateOf(exposure, observed);
    if (hostname === undefined) throw notReady(device.name, service.name);
    const link: Handout = {
      kind: 'link',
      label: `${service.name} over Tor, for ${device.name}`,
      file: `${service.name}-onion.txt`,
      secret: false,
      text: urlOf(service, hostname),
    };
    return privateKey === undefined ? [link] : [link, ...keysFor(input, service.name, hostname, privateKey)];
  });
}

function keysFor(
  { device }: EnrolmentInput<Settings>,
  service: string,
  hostname: string,
  privateKey: string,
): Handout[] {
  const name = `${device.name}-${service}`;
  return [
    {
      kind: 'onion-key',
      label: `For Tor Browser: open the address of ${service}, and paste this key where it asks for one`,
      file: `${name}.txt`,
      secret: true,
      text: privateKey,
    },
    {
      kind: 'orbot-entry',
      label: `For Orbot: in its menu "Onion authentication" (v3 client authorization) add this address and this key of ${service}`,
      file: `${name}-orbot.txt`,
      secret: true,
      text: `${hostname}\n${privateKey}`,
    },
    {
      kind: 'onion-key-file',
      label: `For a tor of your own: this line in a file of its ClientOnionAuthDir lets it in to ${service}`,
      file: `${name}.auth_private`,
      secret: true,
      text: renderClientKeyFile(hostname, privateKey),
    },
  ];
}

function base32Of(base64: string): string {
  return encodeBase32(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))).toUpperCase();
}

function notReady(device: string, service: string): GatewayError {
  return new GatewayError(
    `${device} cannot be enrolled: the onion service of ${service} has no address yet`,
    {
      code: 'NotSupported',
      retry: 'when-changed',
      hint: 'see gateway status',
    },
  );
}
