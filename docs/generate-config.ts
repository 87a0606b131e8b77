import { type JsonSchema, page, tableOf, typeText } from './markdown.ts';

export function configReference(schema: JsonSchema): string {
  return page(
    'gateway.yaml',
    'The file is yours: edit it by hand, then `gateway plan` and `gateway up`; or let `gateway service`, `expose` and `unexpose` edit it, which keep your comments. An unknown key is an error. Devices are not in it. For completion and checks while you type, tell your editor about [gateway.schema.json](gateway.schema.json):',
    '```yaml\n# yaml-language-server: $schema=gateway.schema.json\n```',
    tableOf(['Key', 'Value', 'Default', 'Meaning'], rowsOf(schema, '')),
  );
}

function rowsOf(schema: JsonSchema, path: string): string[][] {
  const named = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    keyRows(property, path === '' ? name : `${path}.${name}`),
  );
  const { additionalProperties } = schema;
  return typeof additionalProperties === 'object'
    ? [...named, ...keyRows(additionalProperties, `${path}.NAME`)]
    : named;
}

function keyRows(schema: JsonSchema, path: string): string[][] {
  const inner = rowsOf(schema, path);
  const value = schema.type === 'object' ? 'section' : valueText(schema);
  const isWordless = schema.description === undefined && schema.default === undefined && inner.length > 0;
  if (isWordless) return inner;
  const byDefault =
    schema.default === undefined || schema.type === 'object' ? '' : `\`${JSON.stringify(schema.default)}\``;
  return [[`\`${path}\``, value, byDefault, schema.description ?? ''], ...inner];
}

function valueText(schema: JsonSchema): string {
  const { minimum, maximum } = schema;
  const range = minimum !== undefined && maximum !== undefined ? `, ${minimum} to ${maximum}` : '';
  return `\`${typeText(schema).replace(/\s+/g, ' ')}\`${range}`;
}
