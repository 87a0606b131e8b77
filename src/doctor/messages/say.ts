import { en } from './en.ts';
import { es } from './es.ts';
import type { Catalogue, Text, Values } from './message.ts';

const CATALOGUES: Readonly<Record<string, Catalogue>> = { en, es };
export const LANGUAGES: readonly string[] = Object.keys(CATALOGUES);

/** Turns the name of a sentence into the sentence. */
export type Say = (text: Text) => string;

/** In one of `LANGUAGES`; in English for others. */
export function sayIn(language: string): Say {
  const catalogue = CATALOGUES[language] ?? en;
  const plural = new Intl.PluralRules(language in CATALOGUES ? language : 'en');
  const say: Say = ({ key, values = {} }) => {
    const message = catalogue[key];
    if (typeof message === 'string') return fill(message, values, say);
    const isOne = plural.select(Number(values['count'])) === 'one';
    return fill(isOne ? message.one : message.other, values, say);
  };
  return say;
}

function fill(sentence: string, values: Values, say: Say): string {
  return sentence.replace(/\{(\w+)\}/g, (hole, name: string) => {
    const value = values[name];
    if (value === undefined) return hole;
    return typeof value === 'object' ? say(value) : harmless(String(value));
  });
}

/** What pages, routers and services wrote, without anything that a terminal obeys (Cc) or that only steers (Cf). */
export function harmless(foreign: string): string {
  return foreign.replace(/[\p{Cc}\p{Cf}]+/gu, ' ');
}

/** The first of LC_ALL, LC_MESSAGES and LANG that is set decides (POSIX 8.2): `es_MX.UTF-8` is Spanish. */
export function languageOf(environment: Readonly<Record<string, string | undefined>>): string {
  const named = ['LC_ALL', 'LC_MESSAGES', 'LANG'].map((name) => environment[name]).find((value) => value);
  const language = (named ?? '').split(/[_.@-]/)[0]?.toLowerCase() ?? '';
  return LANGUAGES.includes(language) ? language : 'en';
}
