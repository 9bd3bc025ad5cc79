"""`nissl learn` and `nissl models`: models from decisions, which one is in use, and back."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from nissl.cli.adding import AsJson, ProjectPath
from nissl.cli.output import say, show, show_json
from nissl.errors import BadArgumentError

Task = Annotated[str, typer.Option(help="Task whose learner is meant.")]
By = Annotated[str | None, typer.Option(help="Who decides; your login by default.")]


def learn(
    project: ProjectPath,
    task: Task = "curation",
    seed: Annotated[int, typer.Option(help="The only source of randomness.")] = 0,
    reader: Annotated[
        str | None, typer.Option(help="Learn from this reader only; the majority by default.")
    ] = None,
    library: Annotated[
        list[Path] | None,
        typer.Option(help="Also learn from this library of labelled units; may be repeated."),
    ] = None,
    extend: Annotated[
        bool,
        typer.Option(
            "--extend", help="Keep the classes that are known, beside those that are learnt."
        ),
    ] = False,
    then_use: Annotated[bool, typer.Option("--use", help="Put it into use at once.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Fit a new model to what people decided. It is kept with its card, and not yet in use.

    Cell types can also be learnt from libraries. Classes of cell types that are learnt replace
    those that are known, unless they extend them.
    """
    from nissl.labels.replay import by_reviewer
    from nissl.project import open_project
    from nissl.run.progress import RichProgress

    with RichProgress() as progress, open_project(project, create=False) as study:
        learned = study.learn(
            task,
            seed=seed,
            progress=progress,
            resolve=None if reader is None else by_reviewer(reader),
            libraries=tuple(library or ()),
            extend=extend,
        )
        if then_use:
            study.use_model(task, learned.digest, by=by or getpass.getuser())
    if as_json:
        show_json({"digest": learned.digest, "seconds": learned.seconds, "card": learned.card})
        return
    show("Learned", _rows(learned), as_json=False)
    if not then_use:
        say(f"Put it into use: nissl models {project} --use {learned.digest[:12]} --task {task}")


def _rows(learned: Any) -> list[dict[str, Any]]:
    card = learned.card
    rows = []
    for name, scores in (
        (card["before"]["name"], card["before"].get("evaluation")),
        ("new model", card["evaluation"]),
    ):
        row: dict[str, Any] = {"model": name}
        for key in ("balanced_accuracy", "accuracy", "log_loss"):
            row[key] = None if scores is None else scores[key]["estimate"]
        rows.append(row)
    rows[1] |= {
        "items": card["data"]["n"],
        "judged_with": card["how"],
        "digest": learned.digest[:12],
    }
    rows[0] |= {
        "items": card["data"]["n"],
        "judged_with": "",
        "digest": card["before"]["digest"][:12],
    }
    return rows


def models(
    project: ProjectPath,
    task: Task = "curation",
    card: Annotated[
        str | None, typer.Option(help='Show the card of this model: digest, "shipped", "used".')
    ] = None,
    use: Annotated[
        str | None, typer.Option(help='Put this model into use: digest or "shipped".')
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Put the model back that was in use before.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """List the models of a project, show a card, or change which one is in use.

    A model that is put into use proposes classes everywhere; decisions are carried over.
    """
    from nissl.project import open_project

    chosen = [card is not None, use is not None, rollback]
    if sum(chosen) > 1:
        raise BadArgumentError(
            "one of --card, --use and --rollback", "several", "Give them one after the other."
        )
    with open_project(project, create=False) as study:
        if card is not None:
            found = study.model(task, "" if card == "used" else card)
            show_json(found.card) if as_json else typer.echo(found.page, nl=False)
        elif use is not None or rollback:
            who = by or getpass.getuser()
            used = study.use_model(task, use, by=who) if use else study.rollback_model(task, by=who)
            say(
                f"in use: {used.digest[:12] or 'shipped weights'}; {len(used.labels)} new "
                f"proposals, {used.carried} decisions carried over, "
                f"{len(used.questions)} to look at"
            )
        else:
            show(f"Models of {task}", [_row(m) for m in study.models(task)], as_json=as_json)


def _row(model: Any) -> dict[str, Any]:
    scores = model.card.get("evaluation") or {}
    made = model.made_s
    return {
        "model": model.digest[:12] or "shipped",
        "in_use": model.in_use,
        "items": model.card["data"]["n"],
        "balanced_accuracy": (scores.get("balanced_accuracy") or {}).get("estimate"),
        "log_loss": (scores.get("log_loss") or {}).get("estimate"),
        "made": None if made is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(made)),
    }


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("learn", short_help="Fit a new model to what people decided.")(learn)
    app.command("models", short_help="List models, show a card, use one, go back.")(models)
