import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';

/** The family of decoders that the Android app uses. Loaded from disk: by itself it would fetch its program. */
export async function zxing(picture: Uint8Array): Promise<string> {
  const program = fileURLToPath(import.meta.resolve('zxing-wasm/reader/zxing_reader.wasm'));
  prepareZXingModule({ overrides: { wasmBinary: new Uint8Array(await readFile(program)).buffer } });
  const found = await readBarcodes(new Blob([new Uint8Array(picture)]), { formats: ['QRCode'] });
  return found.map(({ text }) => text).join('\n');
}
