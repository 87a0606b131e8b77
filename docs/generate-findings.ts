import { CHECKS } from '../src/doctor/checks.ts';
import { explainersOf, FINDING_CODES, severityOf } from '../src/doctor/findings.ts';
import { text } from '../src/doctor/messages/message.ts';
import { sayIn } from '../src/doctor/messages/say.ts';
import { page, tableOf } from './markdown.ts';

const say = sayIn('en');

/** What `gateway doctor` can find; the holes in the sentences stand as they are written in the catalogue. */
export function findingsReference(): string {
  return page(
    'What the doctor finds',
    'Codes are never renamed within a major version; the schema of `gateway doctor --json` is [report.schema.json](report.schema.json). A finding is hidden from people while one that explains it is found too.',
    '## Checks',
    tableOf(
      ['Name', 'About', 'Needs'],
      CHECKS.map(({ name, title, needs }) => [`\`${name}\``, say(text(title)), needs.join(', ')]),
    ),
    '`outside`: machines that belong neither to this home nor to its owner are asked, so that `--offline` leaves it out. `gateway`: a gateway runs here, and this user may ask it.',
    '## Findings',
    tableOf(
      ['Code', 'Severity', 'Title', 'Seen', 'Explained by'],
      FINDING_CODES.map((code) => {
        const explained = explainersOf(code)
          .map((other) => `\`${other}\``)
          .join(', ');
        return [
          `\`${code}\``,
          severityOf(code),
          say(text(`${code}.title`)),
          say(text(`${code}.seen`)),
          explained,
        ];
      }),
    ),
  );
}
