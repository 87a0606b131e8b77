import type { Handout } from '../core/contract.ts';
import type { Enrolled } from '../core/control.ts';
import { GatewayError } from '../core/errors.ts';
import type { Context, Input } from './command.ts';
import { reserveFile, reserveFiles } from './handout-files.ts';
import { reserveOnionFiles } from './onion-files.ts';
import { show } from './report.ts';
import type { Terminal } from './terminal.ts';
import { plain } from './terminal.ts';

/** What a device was given, as far as it went to files. */
export interface HandedOut {
  readonly enrolled: Enrolled;
  readonly conf: Handout | undefined;
  /** Shows the rest, once; resolves with the secrets that stand in the terminal then. */
  readonly show: () => Promise<readonly Handout[]>;
}

/**
 * Files are made before anything is asked for, so that no secret is lost for want of one. `undefined` where it was told
 * as JSON, and there is nothing left to show.
 */
export async function handOut(
  input: Input,
  context: Context,
  ask: () => Promise<Enrolled>,
): Promise<HandedOut | undefined> {
  const files = await reserveFiles(input);
  const onionFiles = await reserveOnionFiles(input.text('onion-dir'));
  const certificateFile = await reserveFile(input.text('p12'));
  try {
    const enrolled = await ask();
    const conf = enrolled.handouts.find(({ kind }) => kind === 'wireguard-config');
    const certificate = enrolled.handouts.find(({ kind }) => kind === 'client-certificate');
    const link = enrolled.handouts.find(({ kind }) => kind === 'client-certificate-link');
    const code = conf ?? link;
    const pkcs12 = certificate === undefined ? undefined : Buffer.from(certificate.text, 'base64');
    const written = {
      code: code === undefined ? [] : await files.fill(code.text),
      onions: await onionFiles.fill(enrolled.handouts),
      certificate: await certificateFile.fill(pkcs12),
    };
    if (!context.isJson)
      return { enrolled, conf, show: () => showEnrolment(enrolled, written, context.terminal) };
    show(context, enrolled, () => '');
    return undefined;
  } finally {
    await files.release();
    await onionFiles.release();
    await certificateFile.release();
  }
}

/** Names of files. `code`: of what one scans first, the tunnel or else the link to a certificate. */
type Written = Readonly<Record<'code' | 'onions' | 'certificate', readonly string[]>>;

/** What `device add` shows once; `written` are handouts that went to files instead. Resolves with what is secret of it. */
async function showEnrolment(
  { device, handouts, notices }: Enrolled,
  written: Written,
  terminal: Terminal,
): Promise<readonly Handout[]> {
  const files = [...written.code, ...written.onions, ...written.certificate];
  if (files.length > 0) terminal.print(`Written, readable by you alone: ${files.join(', ')}`);
  const conf = handouts.find(({ kind }) => kind === 'wireguard-config');
  if (conf !== undefined) await showConf(conf.text, written.code.length > 0, terminal);
  const shown = handouts.filter((handout) => isShown(handout, written, conf !== undefined));
  for (const handout of shown) terminal.print(await inWords(handout));
  if (device.expiresAt !== null)
    terminal.print(`${device.name} is revoked by itself at ${device.expiresAt}.`);
  for (const notice of notices) terminal.print(`! ${plain(notice)}`);
  const drawnConf = conf === undefined || written.code.length > 0 ? [] : [conf];
  return [...drawnConf, ...shown.filter(({ secret }) => secret)];
}

/**
 * Apart from the tunnel's. A certificate is a file, which is fetched by its link, or is written already; its password is
 * shown with both.
 */
function isShown({ kind, secret }: Handout, written: Written, hasConf: boolean): boolean {
  if (kind === 'wireguard-config' || kind === 'client-certificate') return false;
  if (kind === 'client-certificate-link') {
    return written.certificate.length === 0 && (hasConf || written.code.length === 0);
  }
  return !secret || kind === 'client-certificate-password' || written.onions.length === 0;
}

async function inWords({ kind, label, file, text }: Handout): Promise<string> {
  const name = kind === 'onion-key-file' ? ` (as a file: ${plain(file)})` : '';
  const words = `\n${plain(label)}${name}:\n  ${plain(text).trimEnd().replaceAll('\n', '\n  ')}`;
  const isScanned = kind === 'link' || kind === 'onion-key' || kind === 'client-certificate-link';
  return isScanned ? `${words}\n${await drawn(text)}` : words;
}

/** The keys are shown once, so a code that is too large for the terminal is shown as the text that it would say. */
async function drawn(text: string): Promise<string> {
  const { terminalQr } = await import('./qr.ts');
  try {
    return terminalQr(text);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return `${error.message}; this is what it says:\n\n${text}`;
  }
}

async function showConf(text: string, isWritten: boolean, terminal: Terminal): Promise<void> {
  const isWhole = text.includes('PrivateKey');
  if (!isWritten) terminal.print(isWhole ? await drawn(text) : text);
  terminal.print(
    isWhole
      ? 'Switch the phone to mobile data and scan the code with the WireGuard app.'
      : 'The private key is on the device: add it under [Interface], as PrivateKey = …',
  );
}
