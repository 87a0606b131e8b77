import type { Command, Completion, Option } from './command.ts';
import { GLOBAL_OPTIONS } from './parse.ts';

/**
 * Completion scripts, written from the command table. Names of services and devices are asked for when Tab is pressed:
 * `gateway completion --names services`. Pure.
 */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const visible = commands.filter((command) => command.isHidden !== true);
  if (shell === 'fish') return fishScript(visible);
  if (shell === 'bash') return `${bashFunction(visible)}\ncomplete -o default -F _gateway gateway\n`;
  return [
    '#compdef gateway',
    'autoload -U +X bashcompinit && bashcompinit',
    bashFunction(visible),
    'complete -o default -F _gateway gateway',
    '',
  ].join('\n');
}

/** Words that can follow `prefix` ('' or 'service') as the next word of a command's name. */
function nextWords(prefix: string, commands: readonly Command[]): string[] {
  const depth = prefix === '' ? 0 : 1;
  const words = commands
    .filter(({ name }) => prefix === '' || name.startsWith(`${prefix} `))
    .flatMap(({ name }) => name.split(' ')[depth] ?? []);
  return [...new Set(words)];
}

function groupsOf(commands: readonly Command[]): string[] {
  return [
    ...new Set(commands.filter(({ name }) => name.includes(' ')).map(({ name }) => name.split(' ')[0] ?? '')),
  ];
}

/** A shell expression that yields the candidates. */
function candidates(completion: Completion | undefined): string {
  if (completion === undefined || completion === 'file') return '""';
  if (typeof completion !== 'string') return `"${completion.join(' ')}"`;
  return `"$("\${COMP_WORDS[0]}" "\${where[@]}" completion --names ${completion} 2>/dev/null)"`;
}

function bashFunction(commands: readonly Command[]): string {
  const groups = groupsOf(commands);
  return [
    '_gateway() {',
    // Not `path`: in zsh that is PATH.
    '  local cur prev typed="" args=0 i word words="" where=()',
    '  COMPREPLY=()',
    '  cur=${COMP_WORDS[COMP_CWORD]}',
    '  prev=${COMP_WORDS[COMP_CWORD-1]}',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    '    word=${COMP_WORDS[i]}',
    '    case "$word" in',
    '      --root|--socket) where+=("$word" "${COMP_WORDS[i+1]}"); ((i++)) ;;',
    `      ${valueOptions(commands).join('|')}) ((i++)) ;;`,
    '      -*) ;;',
    '      *)',
    '        case "$typed" in',
    '          "") typed=$word ;;',
    ...(groups.length === 0 ? [] : [`          ${groups.map(quoted).join('|')}) typed="$typed $word" ;;`]),
    '          *) ((args++)) ;;',
    '        esac ;;',
    '    esac',
    '  done',
    '  case "$typed:$prev" in',
    ...commands.flatMap((command) => optionValueCases(command)),
    '  esac',
    '  if [[ -z $words && $cur == -* ]]; then',
    '    case "$typed" in',
    ...commands.map(({ name, options }) => `      ${quoted(name)}) words="${optionNames(options)}" ;;`),
    '    esac',
    `    words="$words ${optionNames(GLOBAL_OPTIONS)}"`,
    '  elif [[ -z $words ]]; then',
    '    case "$typed" in',
    `      "") words="${nextWords('', commands).join(' ')}" ;;`,
    ...groups.map((group) => `      ${quoted(group)}) words="${nextWords(group, commands).join(' ')}" ;;`),
    ...commands.flatMap(argumentCase),
    '    esac',
    '  fi',
    '  [[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$cur"))',
    '}',
  ].join('\n');
}

function quoted(text: string): string {
  return `"${text}"`;
}

function optionNames(options: readonly Option[]): string {
  return options.map(({ name }) => `--${name}`).join(' ');
}

/** Options whose next word is a value and no part of the command. */
function valueOptions(commands: readonly Command[]): string[] {
  const all = [...GLOBAL_OPTIONS, ...commands.flatMap(({ options }) => options)].filter(
    ({ value }) => value !== undefined,
  );
  return [
    ...new Set(
      all.flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]),
    ),
  ];
}

function optionValueCases({ name, options }: Command): string[] {
  return options
    .filter(
      ({ value, completion }) => value !== undefined && completion !== undefined && completion !== 'file',
    )
    .map((option) => {
      const spellings = [`--${option.name}`, ...(option.short === undefined ? [] : [`-${option.short}`])];
      const patterns = spellings.map((spelling) => quoted(`${name}:${spelling}`)).join('|');
      return `    ${patterns}) words=${candidates(option.completion)} ;;`;
    });
}

function argumentCase({ name, arguments: list }: Command): string[] {
  const [first] = list;
  if (first?.completion === undefined || first.completion === 'file') return [];
  return [`      ${quoted(name)}) [[ $args -gt 0 ]] || words=${candidates(first.completion)} ;;`];
}

function fishScript(commands: readonly Command[]): string {
  const groups = groupsOf(commands);
  const at = (path: string, words = '-1'): string => `-n '__gateway_at "${path}" ${words}'`;
  return [
    '# The words of the command that is being typed, without options and their values.',
    'function __gateway_words',
    '  set -l words (commandline -opc)',
    '  set -l is_value 0',
    '  for word in $words[2..-1]',
    '    if test $is_value = 1',
    '      set is_value 0',
    '      continue',
    '    end',
    '    switch $word',
    `      case ${valueOptions(commands).join(' ')}`,
    '        set is_value 1',
    "      case '-*'",
    "      case '*'",
    '        echo $word',
    '    end',
    '  end',
    'end',
    '# Is it this command, with so many words after its name (-1: any number)?',
    'function __gateway_at',
    '  set -l words (__gateway_words)',
    '  set -l name (string split -n " " -- $argv[1])',
    '  set -l count (count $name)',
    '  test (count $words) -ge $count; or return 1',
    '  test $count -eq 0; or test "$words[1..$count]" = "$name"; or return 1',
    '  test $argv[2] -eq -1; or test (count $words) -eq (math $count + $argv[2])',
    'end',
    'complete -c gateway -f',
    ...GLOBAL_OPTIONS.map((option) => `complete -c gateway ${fishOption(option)}`),
    `complete -c gateway ${at('', '0')} -a '${nextWords('', commands).join(' ')}'`,
    ...groups.map(
      (group) => `complete -c gateway ${at(group, '0')} -a '${nextWords(group, commands).join(' ')}'`,
    ),
    ...commands.flatMap((command) => [
      ...command.options.map((option) => `complete -c gateway ${at(command.name)} ${fishOption(option)}`),
      ...fishArgument(command, at(command.name, '0')),
    ]),
    '',
  ].join('\n');
}

function fishOption({ name, short, value, completion, summary }: Option): string {
  const words = completion === undefined || completion === 'file' ? '' : ` -a '${fishWords(completion)}'`;
  const takes = value === undefined ? '' : completion === 'file' ? ' -r -F' : ` -x${words}`;
  return `-l ${name}${short === undefined ? '' : ` -s ${short}`}${takes} -d '${summary.replaceAll("'", '’')}'`;
}

function fishWords(completion: Completion): string {
  if (typeof completion !== 'string') return completion.join(' ');
  return `(command gateway completion --names ${completion} 2>/dev/null)`;
}

function fishArgument({ arguments: list }: Command, at: string): string[] {
  const completion = list[0]?.completion;
  if (completion === undefined) return [];
  return [`complete -c gateway ${at} ${completion === 'file' ? '-F' : `-a '${fishWords(completion)}'`}`];
}
