/** Prints what routers announce, as our daemon hears it: their address, and the mark. Argument: our address. */
import { SSDP_ANNOUNCEMENTS } from '../../../src/system/mapping/announcement-kinds.ts';
import { Announcements } from '../../../src/system/mapping/announcements.ts';

const tell = (text: string): void => void process.stdout.write(`${text}\n`);
const announcements = new Announcements(
  SSDP_ANNOUNCEMENTS,
  (router, { mark }) => tell(`${router} ${mark.bootId}`),
  (_level, message) => tell(message),
);
announcements.listen(process.argv[2] ?? '');
// Listening alone keeps no program running.
setTimeout(() => announcements.close(), 60_000);
