import type { CertificateReport } from '../../core/certificate.ts';
import { EXIT, type Command } from '../command.ts';
import { renderCertificates } from '../render-certificates.ts';
import { segment, show } from '../report.ts';

export const certificateList: Command = {
  name: 'certificates',
  summary: 'List the certificates of public names, and when each is renewed',
  details: [
    'They are ordered and renewed by themselves. Below the list stand the CAA records with which nobody else gets a certificate for a name, unless DNS shows them already.',
    'Exit code: 0 all are valid, 1 one is missing or could not be renewed.',
  ],
  arguments: [],
  options: [],
  run: async (_input, context) => {
    const client = await context.client();
    const reports = await client.get<CertificateReport[]>('/v1/certificates', context.signal);
    show(context, reports, () => renderCertificates(reports));
    const isWell = reports.every(({ state, problem }) => state === 'valid' && problem === null);
    return isWell ? EXIT.ok : EXIT.warnings;
  },
};

export const certificateRenew: Command = {
  name: 'certificates renew',
  summary: 'Order another certificate for a name now',
  details: [
    'The one that is held is shown until the new one is there. Authorities give few for one name in a week.',
  ],
  arguments: [{ name: 'NAME', summary: 'Name of the certificate, from gateway certificates' }],
  options: [],
  run: async (input, context) => {
    const client = await context.client();
    const name = input.argument('NAME');
    const { progress, signal } = context;
    await client.send<null>('POST', `/v1/certificates/${segment(name)}/renew`, undefined, progress, signal);
    show(context, { name }, () => `Another certificate for ${name} is ordered.\nnext: gateway certificates`);
    return EXIT.ok;
  },
};

export const certificateRevoke: Command = {
  name: 'certificates revoke',
  summary: 'Have its authority revoke a certificate, and order another one',
  details: [
    'For a key that somebody else may have, and for a name that is yours no more. The authority revokes it for good; many browsers look at that late or never. It is shown until the other one is there, which has a key of its own.',
  ],
  arguments: [{ name: 'NAME', summary: 'Name of the certificate, from gateway certificates' }],
  options: [{ name: 'compromised', summary: 'Somebody else may have its key: the authority is told that' }],
  examples: ['gateway certificates revoke pay.example.com --compromised'],
  run: async (input, context) => {
    const client = await context.client();
    const name = input.argument('NAME');
    const { progress, signal } = context;
    const query = input.has('compromised') ? '?compromised=true' : '';
    const path = `/v1/certificates/${segment(name)}/revoke${query}`;
    await client.send<null>('POST', path, undefined, progress, signal);
    show(
      context,
      { name },
      () => `The certificate for ${name} is revoked; another one is ordered.\nnext: gateway certificates`,
    );
    return EXIT.ok;
  },
};
