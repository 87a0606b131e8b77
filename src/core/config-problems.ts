import type { z } from 'zod';
import type { ConfigProblem, ConfigText, Path } from './config-text.ts';
import { NAME, NAME_HINT, nameFault, quote } from './name.ts';
import { suggest } from './suggest.ts';

type Issue = z.core.$ZodIssue;

interface Words {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What a schema found, as sentences at their places in the file. */
export function schemaProblems(
  issues: readonly Issue[],
  file: ConfigText,
  schema: Record<string, unknown>,
): ConfigProblem[] {
  return issues.flatMap((issue) => wordsOf(issue, schema)).map((words) => placed(file, words));
}

export function placed(file: ConfigText, { path, message, hint }: Words): ConfigProblem {
  return {
    ...file.locate(path),
    path: pathText(path),
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** 'services.shop.port', 'services.shop.fallback[0]'; strange keys in quotes. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const word = /^[A-Za-z0-9_-]{1,40}$/.test(String(step)) ? String(step) : quote(String(step));
    return text === '' ? word : `${text}.${word}`;
  }, '');
}

function wordsOf(issue: Issue, schema: Record<string, unknown>, base: Path = []): Words[] {
  const path = [...base, ...issue.path];
  const name = path.length === 0 ? 'the file' : pathText(path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey([...path, key], keysAt(schema, path)));
  }
  if (issue.code === 'invalid_type') return [invalidType(path, name, issue.expected, issue.input)];
  if (issue.code === 'invalid_value')
    return [invalidValue(path, name, issue.values.map(String), issue.input)];
  if (issue.code === 'invalid_key') return [invalidName(path)];
  if (issue.code === 'invalid_union') return invalidUnion(issue, path, name, schema);
  if (issue.code === 'too_small') return [outOfRange(path, name, `at least ${issue.minimum}`, issue)];
  if (issue.code === 'too_big') return [outOfRange(path, name, `at most ${issue.maximum}`, issue)];
  return [{ path, message: `${name} ${fragment(issue)}` }];
}

function outOfRange(path: Path, name: string, limit: string, issue: Issue & { origin: string }): Words {
  return { path, message: `${name} must be ${limit}${unit(issue.origin)}, but is ${shown(issue.input)}` };
}

/** Schemas of providers say "must be …"; zod's own sentences start with "Invalid". */
function fragment(issue: Issue): string {
  if (!issue.message.startsWith('Invalid')) return issue.message;
  const format = 'format' in issue && typeof issue.format === 'string' ? issue.format : 'value';
  return `is not a valid ${format}: ${shown(issue.input)}`;
}

function unknownKey(path: Path, known: readonly string[]): Words {
  const meant = suggest(String(path.at(-1)), known);
  const hint =
    meant !== undefined
      ? `did you mean "${meant}"?`
      : known.length > 0
        ? `known here: ${known.join(', ')}`
        : undefined;
  return { path, message: `${pathText(path)} is not known`, hint };
}

function invalidName(path: Path): Words {
  const name = String(path.at(-1));
  const fault = nameFault(name) ?? `does not match ${NAME.source}`;
  return { path, message: `${pathText(path)}: the name ${quote(name)} ${fault}`, hint: NAME_HINT };
}

const EXPECTED: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'text',
  boolean: 'true or false',
  object: 'a section of its own (key: value, indented)',
  record: 'a section of its own (key: value, indented)',
  array: 'a list, such as [a, b]',
};

function invalidType(path: Path, name: string, expected: string, input: unknown): Words {
  if (input === undefined)
    return { path, message: `${name} is missing`, hint: `write it as ${EXPECTED[expected] ?? expected}` };
  const hint = quotesHint(expected, input);
  return { path, message: `${name} must be ${EXPECTED[expected] ?? expected}, but is ${shown(input)}`, hint };
}

function quotesHint(expected: string, input: unknown): string | undefined {
  const wantsNumber = expected === 'number' || expected === 'int';
  if (wantsNumber && typeof input === 'string' && /^[0-9]+$/.test(input))
    return `write it without quotes: ${input}`;
  const isWord = typeof input === 'number' || typeof input === 'boolean';
  return expected === 'string' && isWord ? `write it in quotes: "${input}"` : undefined;
}

function invalidValue(path: Path, name: string, values: readonly string[], input: unknown): Words {
  if (input === undefined)
    return { path, message: `${name} is missing`, hint: `one of ${values.join(', ')}` };
  const meant = typeof input === 'string' ? suggest(input, values) : undefined;
  const wanted = values.length === 1 ? (values[0] ?? '') : `one of ${values.join(', ')}`;
  return {
    path,
    message: `${name} must be ${wanted}, but is ${shown(input)}`,
    hint: meant === undefined ? undefined : `did you mean "${meant}"?`,
  };
}

/** The form that got furthest is most likely the one that was meant. */
function invalidUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  path: Path,
  name: string,
  schema: Record<string, unknown>,
): Words[] {
  const depth = (issues: readonly Issue[]): number =>
    Math.max(0, ...issues.map((inner) => inner.path.length));
  const [best] = [...issue.errors].sort((a, b) => depth(b) - depth(a) || a.length - b.length);
  if (best !== undefined && depth(best) > 0) return best.flatMap((inner) => wordsOf(inner, schema, path));
  const forms = issue.errors.flatMap((issues) =>
    issues.flatMap((inner) =>
      'expected' in inner ? [EXPECTED[String(inner.expected)] ?? String(inner.expected)] : [],
    ),
  );
  const wanted = forms.length > 0 ? ` must be ${[...new Set(forms)].join(' or ')}, but` : '';
  return [{ path, message: `${name}${wanted} is ${shown(issue.input)}` }];
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'string') return quote(value);
  return typeof value === 'number' || typeof value === 'boolean' ? `${value}` : 'a section';
}

/** Keys that the schema knows at `path`, found in its JSON Schema so that a provider's own options are included. */
function keysAt(schema: Record<string, unknown>, path: Path): string[] {
  let nodes: Record<string, unknown>[] = [schema];
  for (const step of path) nodes = nodes.flatMap((node) => below(node, String(step)));
  return nodes.flatMap(forms).flatMap((node) => Object.keys(section(node['properties']) ?? {}));
}

function below(node: Record<string, unknown>, step: string): Record<string, unknown>[] {
  return forms(node).flatMap((form) => {
    const next = section(form['properties'])?.[step] ?? form['additionalProperties'] ?? form['items'];
    const found = section(next);
    return found === undefined ? [] : [found];
  });
}

function forms(node: Record<string, unknown>): Record<string, unknown>[] {
  const members = ['anyOf', 'oneOf', 'allOf'].flatMap((word) => list(node[word]));
  return [node, ...members.map(section).filter((member) => member !== undefined)];
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function section(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
