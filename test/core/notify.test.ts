import { expect, it } from 'vitest';
import {
  alertsOf,
  noticeOf,
  NotifySettings,
  readTold,
  undecidedIn,
  sentenceOf,
  titleOf,
  type Situation,
  type Told,
} from '../../src/core/notify.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-01-31T00:00:00Z');
const iso = (days: number): string => new Date(NOW + days * DAY).toISOString();
const problem = { message: 'the authority refused', hint: null, retryAt: iso(1) };
const settings = (change: object = {}): NotifySettings => NotifySettings.parse(change);
const quiet: Situation = {
  services: [],
  certificates: [],
  locked: [],
  lostRelays: [],
  unasked: [],
  address: undefined,
  hasTunnels: false,
};
const shop = {
  name: 'shop',
  isDark: false,
  isOpen: true,
  isFallback: true,
  way: 'tor',
  why: 'clearnet: TCP 11.2.0.2:443 is closed',
};
const texts = (situation: Partial<Situation>, change?: object): string[] =>
  alertsOf({ ...quiet, ...situation }, settings(change), NOW).map(({ text }) => text);

it('says what is wrong without names and addresses, unless it is asked to', () => {
  const certificate = {
    name: 'pay.example.com',
    state: 'failing' as const,
    notBefore: null,
    notAfter: null,
    problem,
  };
  const all = { services: [shop], certificates: [certificate], lostRelays: ['vps'], address: '11.2.0.2' };
  expect(texts(all)).toEqual([
    'shop: tor took over',
    'a certificate could not be had',
    'the relay vps does not answer',
    'this home has another public address',
  ]);
  expect(texts(all, { names: true })).toEqual([
    'shop: tor took over: clearnet: TCP 11.2.0.2:443 is closed',
    'the certificate for pay.example.com could not be had',
    'the relay vps does not answer',
    'this home is at 11.2.0.2 now',
  ]);
  expect(texts({ address: '11.2.0.2', hasTunnels: true })).toEqual([
    'this home has another public address; on phones, switch the tunnel off and on',
  ]);
  expect(texts(all, { about: ['relay'] })).toEqual(['the relay vps does not answer']);
  expect(texts({ services: [{ ...shop, isDark: true }] })).toEqual(['shop is down: no way in works']);
});

it('speaks of a certificate once a fifth of its life is left and it could not be renewed', () => {
  const ends = (days: number, trouble: typeof problem | null) =>
    texts({
      certificates: [
        { name: 'a', state: 'valid', notBefore: iso(days - 90), notAfter: iso(days), problem: trouble },
      ],
    });
  expect(ends(19, problem)).toEqual([]);
  expect(ends(17, null)).toEqual([]);
  expect(ends(17, problem)).toEqual(['a certificate ends at 2026-02-17 00:00 UTC and could not be renewed']);
});

it('tells what begins, changes and ends, each once', () => {
  let told: Told = {};
  const next = (situation: Partial<Situation>): string[] | undefined => {
    const notice = noticeOf(
      told,
      alertsOf({ ...quiet, ...situation }, settings({ names: true }), NOW),
      new Set(),
    );
    told = notice?.told ?? told;
    return notice?.lines.map(sentenceOf);
  };
  expect(next({ address: '11.2.0.2' })).toEqual([]);
  expect(next({ address: '11.2.0.2' })).toBeUndefined();
  expect(next({ services: [shop] })).toEqual([`shop: tor took over: ${shop.why}`]);
  // Nobody knows the address just now: that is no news, and neither is that it is the same again.
  expect(next({ services: [shop], address: '11.2.0.2' })).toBeUndefined();
  expect(next({ services: [{ ...shop, isDark: true }], address: '11.2.0.9' })).toEqual([
    'shop is down: no way in works',
    'this home is at 11.2.0.9 now',
    `over: shop: tor took over: ${shop.why}`,
  ]);
  expect(next({ address: '11.2.0.9' })).toEqual(['over: shop is down: no way in works']);
});

it('takes nothing for over of which nobody knows', () => {
  const lost = {
    ...quiet,
    services: [{ ...shop, isDark: true, isOpen: false }],
    lostRelays: ['vps'],
    locked: ['lnd'],
  };
  const told = noticeOf({}, alertsOf(lost, settings(), NOW), new Set())?.told ?? {};
  expect(Object.keys(told)).toHaveLength(3);
  const started: Situation = {
    ...quiet,
    services: [{ ...shop, isFallback: false, isOpen: false }],
    unasked: ['vps', 'lnd'],
  };
  const after = (situation: Situation) =>
    noticeOf(told, alertsOf(situation, settings(), NOW), undecidedIn(situation))?.lines.map(sentenceOf);
  expect(after(started)).toBeUndefined();
  expect(after(quiet)).toHaveLength(3);
});

it('has a title that says it all where there is one line', () => {
  const lines = [{ state: 'begins', kind: 'down', text: 'shop is down' }] as const;
  expect(titleOf({ lines, told: {} })).toBe('Gateway: shop is down');
  expect(titleOf({ lines: [...lines, ...lines], told: {} })).toBe('Gateway: 2 changes');
});

it('begins anew where what was kept cannot be read', () => {
  expect([readTold('{"a"'), readTold('[1]'), readTold(undefined), readTold('{"a":"b"}')]).toEqual([
    {},
    {},
    {},
    { a: 'b' },
  ]);
});

it.each([
  [{ by: 'mail', server: 'smtp.example.net:465', from: 'a@b.c', to: 'a@b.c>\r\nDATA' }],
  [{ by: 'webhook', url: 'file:///etc/passwd' }],
  [{ by: 'mail', server: 'smtp.example.net:465', from: 'a@b.c', to: 'a@b.c', user: 'me' }],
  [{ by: 'command', path: 'alert.sh' }],
])('refuses %j', (receiver) => {
  expect(NotifySettings.safeParse({ to: [receiver] }).success).toBe(false);
});
