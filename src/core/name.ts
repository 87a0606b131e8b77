/** Names of services, namespaces and devices: they end up in interface names, paths and commands. */
export const NAME = /^[a-z][a-z0-9-]{0,31}$/;

/** Why `name` cannot be a name, as the end of a sentence; `undefined` when it can. */
export function nameFault(name: string): string | undefined {
  if (NAME.test(name)) return undefined;
  if (name === '') return 'is empty';
  if (name.length > 32) return 'is longer than 32 characters';
  if (name.startsWith('-')) return 'starts with a dash';
  if (/^[0-9]/.test(name)) return 'starts with a digit';
  if (/[A-Z]/.test(name)) return 'has capital letters';
  if (/\s/.test(name)) return 'has a space or a line break in it';
  return 'has a character that is not a to z, 0 to 9 or a dash';
}

export const NAME_HINT = 'use 1 to 32 characters of a to z, 0 to 9 and dashes, starting with a letter';

/** Under which name `Keys` holds the key of a service's onion address. */
export function onionKeyName(service: string): string {
  return `tor/${service}`;
}

const MAX_SHOWN = 60;

/** A foreign value in quotes: line breaks, colours and invisible letters are escaped, long ones are cut. */
export function quote(value: string): string {
  const cut = value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value;
  return JSON.stringify(cut).replace(
    /[^\x20-\x7e…]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Where a page for devices hands out their certificates by one-time links; nothing below it is the service's. */
export const HANDOUT_PATH = '/.well-known/gateway-device/';
