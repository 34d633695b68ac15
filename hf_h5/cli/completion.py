"""``hf-h5 completion``: what a shell needs to complete commands, flags and their values."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["add_command"]

_HOW = """\
to switch it on, once:
  bash    hf-h5 completion bash >> ~/.bash_completion
  zsh     hf-h5 completion zsh > "${fpath[1]}/_hf-h5"
  fish    hf-h5 completion fish > ~/.config/fish/completions/hf-h5.fish
"""


@dataclass(frozen=True, slots=True)
class _Flag:
    names: tuple[str, ...]
    help: str
    takes_value: bool
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Command:
    """A command with its flags, and the words that its arguments may be (none: files)."""

    name: str
    help: str
    flags: tuple[_Flag, ...]
    choices: tuple[str, ...]


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "completion",
        help="print what a shell needs to complete hf-h5",
        description="Print a script that teaches a shell to complete the commands and flags of hf-h5.",
        epilog=_HOW,
    )
    parser.add_argument("shell", choices=tuple(_SCRIPTS))
    # The parsers of all commands, also of those that are added after this one.
    parser.set_defaults(run=_run, commands=commands)


def _run(arguments: argparse.Namespace) -> int:
    print(_SCRIPTS[arguments.shell](_commands(arguments.commands)), end="")
    return 0


def _commands(subparsers: Any) -> list[_Command]:
    # argparse has no public way to ask a parser for its flags; shtab and argcomplete take the same two lists.
    helps = {action.dest: action.help or "" for action in subparsers._choices_actions}
    found = []
    for name, parser in subparsers.choices.items():
        actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
        flags = tuple(_flag(action) for action in actions if action.option_strings)
        words = [word for action in actions if not action.option_strings for word in action.choices or ()]
        found.append(_Command(name, helps.get(name, ""), flags, tuple(words)))
    return found


def _flag(action: argparse.Action) -> _Flag:
    choices = tuple(map(str, action.choices or ()))
    return _Flag(tuple(action.option_strings), action.help or "", action.nargs != 0, choices)


def _bash(commands: Iterable[_Command]) -> str:
    names = " ".join(command.name for command in commands)
    values = [
        f'        "{command.name} {name}") words="{" ".join(flag.choices)}" ;;'
        for command in commands
        for flag in command.flags
        for name in flag.names
        if flag.choices
    ]
    flags = [
        f'        "{command.name}") words="{" ".join(name for flag in command.flags for name in flag.names)}" ;;'
        for command in commands
    ]
    arguments = [f'        "{each.name}") words="{" ".join(each.choices)}" ;;' for each in commands if each.choices]
    return f"""\
# bash completion of hf-h5; with no words of its own it leaves files to bash
_hf_h5() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}} words=""
    if ((COMP_CWORD == 1)); then
        words="{names} --help --version"
    elif [[ $word == -* ]]; then
        case "$command" in
{_lines(flags)}
        esac
    else
        case "$command $before" in
{_lines(values)}
        esac
        [[ -n $words ]] || case "$command" in
{_lines(arguments)}
        esac
    fi
    COMPREPLY=()
    [[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _hf_h5 hf-h5
"""


def _zsh(commands: Iterable[_Command]) -> str:
    names = [f"        {_quoted(_plain(command.name) + ':' + _plain(command.help))}" for command in commands]
    cases = []
    for command in commands:
        specs = [spec for flag in command.flags for spec in _zsh_specs(flag)]
        specs.append(f"*: :({' '.join(command.choices)})" if command.choices else "*:file:_files")
        cases.append(f"        {command.name}) _arguments " + " \\\n            ".join(map(_quoted, specs)) + " ;;")
    return f"""\
#compdef hf-h5
_hf_h5() {{
    local -a commands=(
{_lines(names)}
    )
    if ((CURRENT == 2)); then
        _describe command commands
        return
    fi
    shift words
    ((CURRENT--))
    case $words[1] in
{_lines(cases)}
    esac
}}
compdef _hf_h5 hf-h5
"""


def _zsh_specs(flag: _Flag) -> list[str]:
    value = f":value:({' '.join(flag.choices)})" if flag.choices else ":value:_files"
    text = _plain(flag.help).replace("[", "(").replace("]", ")")
    return [f"*{name}[{text}]{value if flag.takes_value else ''}" for name in flag.names]


def _fish(commands: Iterable[_Command]) -> str:
    lines = ["# fish completion of hf-h5", "complete -c hf-h5 -e"]
    for command in commands:
        start = "complete -c hf-h5 -f -n __fish_use_subcommand"
        lines.append(f"{start} -a {command.name} -d {_quoted(_plain(command.help))}")
    for command in commands:
        start = f"complete -c hf-h5 -n '__fish_seen_subcommand_from {command.name}'"
        if command.choices:
            lines.append(f"{start} -f -a {_quoted(' '.join(command.choices))}")
        lines += [f"{start} {_fish_flag(flag)}" for flag in command.flags]
    return "\n".join(lines) + "\n"


def _fish_flag(flag: _Flag) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names)
    value = f" -x -a {_quoted(' '.join(flag.choices))}" if flag.choices else " -r" if flag.takes_value else ""
    return f"{names}{value} -d {_quoted(_plain(flag.help))}"


def _plain(text: str) -> str:
    """A help text without what argparse fills in and what shells take for their own."""
    return text.split("; default:")[0].replace("%%", "%").replace(":", ",").replace("'", "")


def _quoted(text: str) -> str:
    return shlex.quote(text) if text else "''"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


_SCRIPTS: dict[str, Callable[[list[_Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
