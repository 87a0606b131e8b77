import { readFile } from 'node:fs/promises';
import { GatewayError } from '../core/errors.ts';

export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Looked up in /etc/passwd itself: accounts of the gateway are local, and this asks no network service. */
export async function lookUpUser(name: string): Promise<User> {
  const fields = await lineOf('/etc/passwd', name);
  const user = { name, uid: Number(fields?.[2]), gid: Number(fields?.[3]) };
  if (Number.isInteger(user.uid) && Number.isInteger(user.gid)) return user;
  throw missing('user', name);
}

/** Group id by name. */
export async function lookUpGroup(name: string): Promise<number> {
  const gid = Number((await lineOf('/etc/group', name))?.[2]);
  if (Number.isInteger(gid)) return gid;
  throw missing('group', name);
}

async function lineOf(file: string, name: string): Promise<string[] | undefined> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.map((line) => line.split(':')).find((fields) => fields[0] === name && fields.length > 2);
}

function missing(what: string, name: string): GatewayError {
  return new GatewayError(`there is no ${what} ${name} on this machine`, {
    code: 'UserMissing',
    retry: 'when-changed',
    hint: `make it as root: ${what === 'user' ? `useradd --system --no-create-home ${name}` : `groupadd --system ${name}`}`,
  });
}
