import { isIP } from 'node:net';
import { GatewayError } from '../core/errors.ts';
import { dropCertificate, plainPem, putCertificate } from './edge-certificates.ts';
import { findOneOfEdge } from './edge-process.ts';
import { tellEdge } from './edge-socket.ts';
import { CHALLENGE_LIST, CHALLENGE_MAP, hostOf } from './edge-web.ts';
import type { Handler } from './environment.ts';

/** Challenges of a certificate authority, answered by HAProxy itself: nothing that it sends reaches the daemon. */
export const answerChallenge: Handler<'edge.challenge'> = async (challenge, environment, signal) => {
  if ((await findOneOfEdge(environment)) === undefined) throw notRunning();
  if (challenge.type === 'tls-alpn-01') {
    const { name } = challenge;
    const given = {
      file: fileOf(name),
      pem: plainPem(challenge.pem),
      list: CHALLENGE_LIST,
      name: sniOf(name),
    };
    await putCertificate(given, environment, signal);
    return {};
  }
  const key = keyOf(challenge);
  await tellEdge(environment, `del map ${CHALLENGE_MAP} ${key}`, signal);
  const said = await tellEdge(environment, `add map ${CHALLENGE_MAP} ${key} ${challenge.response}`, signal);
  if (said.trim() !== '') throw refused(challenge.name, said);
  return {};
};

export const removeChallenge: Handler<'edge.challenge.remove'> = async (challenge, environment, signal) => {
  if ((await findOneOfEdge(environment)) === undefined) return {};
  if (challenge.type === 'tls-alpn-01') {
    await dropCertificate(fileOf(challenge.name), CHALLENGE_LIST, environment, signal);
  } else {
    await tellEdge(environment, `del map ${CHALLENGE_MAP} ${keyOf(challenge)}`, signal);
  }
  return {};
};

function keyOf({ name, token }: { readonly name: string; readonly token: string }): string {
  return `${hostOf(name)}/${token}`;
}

/** Only a name inside HAProxy: there is no such file. */
function fileOf(name: string): string {
  return `challenges/${name}.pem`;
}

/** RFC 8738 6: who checks an address asks for its reverse name. */
function sniOf(name: string): string {
  if (isIP(name) === 4) return `${name.split('.').toReversed().join('.')}.in-addr.arpa`;
  if (isIP(name) !== 6) return name;
  const [head = '', tail] = name.split('::');
  const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = groupsOf(head);
  const after = groupsOf(tail ?? '');
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  const digits = [...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join('');
  return `${digits.split('').toReversed().join('.')}.ip6.arpa`;
}

function notRunning(): GatewayError {
  return new GatewayError('HAProxy does not run, so it cannot answer a challenge', {
    code: 'EdgeUnavailable',
  });
}

function refused(name: string, said: string): GatewayError {
  return new GatewayError(`HAProxy did not take the challenge of ${name}: ${said.trim()}`, {
    code: 'EdgeUnavailable',
  });
}
