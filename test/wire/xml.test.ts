import { expect, it } from 'vitest';
import { childOf, escapeXml, everyElement, parseXml, textOf } from '../../src/wire/xml.ts';
import { mutations } from '../support/mutations.ts';

it('reads elements and text, whatever prefixes and attributes a router uses', () => {
  const root = parseXml(
    '<?xml version="1.0"?><!-- made by > a router --><root xmlns="urn:x" a=\'b>c\'><x:one> first </x:one><two/><two b="/">s<i/>t</two></root>',
  );
  expect(root?.children.map(({ name }) => name)).toEqual(['one', 'two', 'two']);
  expect(textOf(root, 'one')).toBe('first');
  expect(root?.children[2]?.text).toBe('st');
  expect(childOf(root, 'three')).toBeUndefined();
});

it('forgives what does no harm: NUL bytes at the end, a byte order mark, blank lines, a bare ampersand', () => {
  expect(textOf(parseXml('\uFEFF\r\n <a><b>Black & White &amp; &#65;&#x42;</b></a>\n\0\0'), 'b')).toBe(
    'Black & White & AB',
  );
  expect(textOf(parseXml('<a><b><![CDATA[<&>]]></b></a>'), 'b')).toBe('<&>');
});

it.each([
  ['a DTD', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
  ['a DTD inside', '<a><!DOCTYPE b></a>'],
  ['two roots', '<a/><b/>'],
  ['text outside', '<a/>b'],
  ['wrong nesting', '<a><b></a></b>'],
  ['no end', '<a><b>'],
  ['a tag without end', '<a'],
  ['an end without beginning', '</a>'],
  ['an attribute without end', '<a b="c></a>'],
  ['nothing', ''],
  ['too deep', '<a>'.repeat(25) + '</a>'.repeat(25)],
  ['too many', `<a>${'<b/>'.repeat(4001)}</a>`],
  ['too large', `<a>${'x'.repeat(256 * 1024)}</a>`],
])('refuses %s', (_what, text) => {
  expect(parseXml(text)).toBeUndefined();
});

it('looks nothing up: an entity that XML does not have by itself stays as it stands', () => {
  const text = '&b;&b;&xxe;&#0;&#xD800;&#99999999;';
  expect(textOf(parseXml(`<a><c>${text}</c></a>`), 'c')).toBe(text);
});

it('reads back what it escaped', () => {
  const text = `<a href="x">'&amp;'</a>`;
  expect(textOf(parseXml(`<a><b>${escapeXml(text)}</b></a>`), 'b')).toBe(text);
});

it('throws nothing and makes nothing larger, whatever arrives', () => {
  const sample =
    '<?xml version="1.0"?><root xmlns="u"><device><name a="1">x &amp; y</name><list><s/><s>1</s></list></device></root>';
  const pieces = [
    '<',
    '>',
    '</',
    '/>',
    '&',
    '&amp;',
    '<!',
    '<![CDATA[',
    ']]>',
    '<!--',
    '-->',
    '<?',
    '?>',
    '"',
    "'",
  ];
  for (const text of mutations([sample], pieces)) {
    const root = parseXml(text);
    if (root === undefined) continue;
    const read = [...everyElement(root)].reduce((sum, element) => sum + element.text.length, 0);
    expect(read).toBeLessThanOrEqual(text.length);
  }
});
