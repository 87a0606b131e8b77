import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse } from 'yaml';
import { GatewayError, messageOf } from '../core/errors.ts';
import { TOPOLOGIES } from './topologies/index.ts';
import { parseTopology, type Topology } from './topology.ts';

export interface NamedTopology {
  readonly name: string;
  readonly topology: Topology;
}

/** A topology by the name of a built-in one, or by the path of a YAML or JSON file. */
export async function loadTopology(nameOrFile: string): Promise<NamedTopology> {
  const builtIn = Object.hasOwn(TOPOLOGIES, nameOrFile) ? TOPOLOGIES[nameOrFile] : undefined;
  if (builtIn !== undefined) return { name: nameOrFile, topology: parseTopology(builtIn, nameOrFile) };
  const text = await readFile(nameOrFile, 'utf8').catch((cause: unknown) => {
    throw new GatewayError(`cannot read the topology ${nameOrFile}: ${messageOf(cause)}`, {
      code: 'LabFailed',
      retry: 'never',
      hint: `give the path of a file (docs/lab.md), or one of: ${Object.keys(TOPOLOGIES).join(', ')}`,
      cause,
    });
  });
  const name = basename(nameOrFile).replace(/\.(ya?ml|json)$/, '');
  return { name, topology: parseTopology(parseText(text, nameOrFile), nameOrFile) };
}

function parseText(text: string, file: string): unknown {
  try {
    // JSON is YAML.
    return parse(text);
  } catch (cause) {
    throw new GatewayError(`${file} is neither YAML nor JSON: ${messageOf(cause)}`, {
      code: 'LabFailed',
      retry: 'never',
      cause,
    });
  }
}
