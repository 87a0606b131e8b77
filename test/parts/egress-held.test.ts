import { expect, it } from 'vitest';
import { networkFor } from '../../src/core/allocate.ts';
import { heldNotice } from '../../src/parts/egress/held.ts';

const NETWORK = networkFor('gx', '10.64.0.0/20');
const egress = {
  services: [
    { service: 'open', address: '10.64.1.2', by: 'direct' },
    { service: 'hidden', address: '10.64.1.3', by: 'tor' },
  ],
} as const;
const notice = (services: readonly string[], ...firewalls: ('docker' | 'ufw' | 'firewalld')[]): string =>
  heldNotice(NETWORK, { services: [...egress.services] }, { services, firewalls });

it('names the line for each firewall that is there', () => {
  expect(notice(['open'], 'docker', 'ufw')).toMatch(
    /of this machine drops what open sends.*: iptables -I DOCKER-USER -i gxout -j ACCEPT; iptables -I DOCKER-USER -o gxout -j ACCEPT; ufw route allow in on gxout$/,
  );
  expect(notice(['hidden'], 'docker', 'ufw')).toMatch(/through: ufw allow in on gxhost$/);
  expect(notice(['open'], 'firewalld')).toContain('--zone=trusted --add-interface=gxout');
});

it('says what must be let through where nobody knows the line', () => {
  expect(notice(['open'])).toMatch(/forward what comes from gxout, and what goes back to it$/);
  expect(notice(['hidden'], 'docker')).toMatch(/let in what comes from gxhost$/);
});
