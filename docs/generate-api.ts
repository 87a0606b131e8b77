import type { openApiDocument } from '../src/api/app.ts';
import { fence, type JsonSchema, page, tableOf, typeText } from './markdown.ts';

type Document = ReturnType<typeof openApiDocument>;

interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;

export function apiReference(document: Document): string {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods as Readonly<Record<string, Operation>>).map(([method, operation]) => ({
      call: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  const schemas = (document.components?.schemas ?? {}) as Readonly<Record<string, JsonSchema>>;
  return page(
    'API',
    'JSON over HTTP on the unix socket `api.sock` in the run directory (default `/run/gateway`). Who may open the socket may do what root can with this gateway. The same as [openapi.json](openapi.json).',
    fence('curl --unix-socket /run/gateway/api.sock http://gateway/v1/status', 'sh'),
    'The header `Host` must be `gateway`. Requests with `Origin` or `Referer` (a browser), with another content type than `application/json`, with a body over 1 MiB or with an unknown field are refused. A call that fails before it has said anything has an HTTP status of its own and the body `Error`; one that fails later ends with a line of type `error`.',
    'Calls that change something answer with JSON lines: any number of `{"type":"progress","message":…}`, then one `{"type":"result","value":…}` or `{"type":"error","code":…,"message":…,"hint":…}`. When the caller hangs up, what was begun goes on.',
    tableOf(
      ['Call', 'What it does'],
      operations.map(({ call, operation }) => [`\`${call}\``, operation.summary]),
    ),
    ...operations.flatMap(({ call, operation }) => sections(call, operation)),
    '## Schemas',
    ...Object.entries(schemas).flatMap(([name, schema]) => [`### ${name}`, fence(typeText(schema), 'ts')]),
  );
}

function sections(
  call: string,
  { summary, description, parameters = [], requestBody, responses }: Operation,
): string[] {
  const query = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => `\`${name}\``);
  const body = requestBody?.content['application/json']?.schema;
  const success = responses['200'];
  const result =
    success?.content['application/json']?.schema ?? success?.content['application/x-ndjson']?.schema;
  return [
    `## ${call}`,
    `${summary}.`,
    ...(description === undefined ? [] : [description]),
    ...(query.length === 0 ? [] : [`Query: ${query.join(', ')}.`]),
    ...(body === undefined ? [] : [`Body: \`${typeText(body)}\`.`]),
    ...(success === undefined || result === undefined
      ? []
      : [`${success.description} \`${resultText(result)}\``]),
  ];
}

/** Of JSON lines only what the last one carries: the rest is the same for every call. */
function resultText(schema: JsonSchema): string {
  const result = schema.anyOf?.find(
    ({ properties }) =>
      properties?.['type']?.enum?.[0] === 'result' || properties?.['type']?.const === 'result',
  );
  return typeText(result?.properties?.['value'] ?? schema);
}
