import type { en } from './en.ts';

/** Every sentence has a name; what each says in a language is in the file of that language. */
export type MessageKey = keyof typeof en;

/** `{name}` is filled with the value of that name. Of two forms, `count` decides by the rules of the language. */
export type Message = string | { readonly one: string; readonly other: string };

export type Catalogue = Readonly<Record<MessageKey, Message>>;

export interface Text {
  readonly key: MessageKey;
  readonly values?: Values;
}

export type Values = Readonly<Record<string, string | number | Text>>;

export function text(key: MessageKey, values: Values = {}): Text {
  return { key, values };
}
