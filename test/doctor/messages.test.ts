import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CHECKS } from '../../src/doctor/checks.ts';
import { FINDING_CODES } from '../../src/doctor/findings.ts';
import { en } from '../../src/doctor/messages/en.ts';
import { es } from '../../src/doctor/messages/es.ts';
import { text, type Message, type MessageKey } from '../../src/doctor/messages/message.ts';
import { languageOf, sayIn } from '../../src/doctor/messages/say.ts';

const SOURCES = join(import.meta.dirname, '../../src');
const forms = (message: Message): string[] =>
  typeof message === 'string' ? [message] : [message.one, message.other];
const holes = (message: Message): string[] =>
  [...new Set(forms(message).flatMap((form) => form.match(/\{\w+\}/g) ?? []))].sort();

it('has every sentence in every language, with the same things filled in', () => {
  expect(Object.keys(es).sort()).toEqual(Object.keys(en).sort());
  for (const key of Object.keys(en) as MessageKey[]) {
    expect(holes(es[key]), key).toEqual(holes(en[key]));
    expect(typeof es[key], key).toBe(typeof en[key]);
    // Names of things are the same in both; a sentence is not.
    if (
      forms(en[key])
        .join(' ')
        .replaceAll(/\{\w+\}/g, '')
        .trim()
        .split(' ').length > 3
    )
      expect(es[key], key).not.toEqual(en[key]);
  }
});

it('has no sentence that nobody says', () => {
  const said = ['doctor', 'cli'].flatMap((folder) =>
    readdirSync(join(SOURCES, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('messages'))
      .map((file) => readFileSync(join(SOURCES, folder, file), 'utf8')),
  );
  const source = said.join('\n');
  const byRule = new Set([
    ...FINDING_CODES.flatMap((code) => [`${code}.title`, `${code}.seen`]),
    ...CHECKS.map(({ title }) => title),
  ]);
  // `path.owner-${owner}`
  const prefixes = [...source.matchAll(/`([a-z][\w.-]*[.-])\$\{/g)].map(([, prefix]) => prefix ?? '');
  const isMade = (key: string): boolean => prefixes.some((prefix) => key.startsWith(prefix));
  const unsaid = Object.keys(en).filter(
    (key) => !byRule.has(key) && !isMade(key) && !source.includes(`'${key}'`),
  );
  expect(unsaid).toEqual([]);
});

it('counts as the language does', () => {
  const days = (language: string, count: number): string => sayIn(language)(text('time.days', { count }));
  expect([days('en', 1), days('en', 2)]).toEqual(['1 day', '2 days']);
  expect([days('es', 1), days('es', 2)]).toEqual(['1 día', '2 días']);
});

it('lets nothing through that a terminal obeys', () => {
  const said = sayIn('en')(text('web.fix.sign-in', { page: 'http://a\u001b[2J\u202eb' }));
  expect(said).toBe('Open http://a [2J b in a browser on this network, and sign in or accept there.');
});

it.each([
  [{ LANG: 'es_MX.UTF-8' }, 'es'],
  [{ LANG: 'es_ES.UTF-8', LC_ALL: 'C' }, 'en'],
  [{ LANG: 'en_US.UTF-8', LC_MESSAGES: 'es' }, 'es'],
  [{ LANG: 'fi_FI.UTF-8' }, 'en'],
  [{}, 'en'],
])('takes %o for %s', (environment, language) => {
  expect(languageOf(environment)).toBe(language);
});
