"""`python -m course_lib site`: the whole course as a static site, for a browser without a kernel.

It can be opened from the folder, put on any web server, and works without a network. What makes it
is course_lib/classroom/site.
"""

import os

HOW = "Open it in any browser; neither Python nor a network is needed."


def site(options) -> int:
    """Build the site, and say where it is and how large."""
    from course_lib.classroom.site.builder import Home, build  # here: it imports nbconvert

    home = Home(options.repository, options.branch)
    made = build(options.out, home, still=options.still, tell=lambda name: print(name, flush=True))
    print(
        f"wrote {made['first']}: {made['pages']} pages, {made['bytes'] / 1e6:.1f} MB, "
        f"{made['seconds']:.0f} s"
    )
    print(HOW)
    return 0


def add_parser(subparsers) -> None:
    """Add site to ``python -m course_lib``."""
    parser = subparsers.add_parser("site", help="write the whole course as a static web site")
    parser.add_argument(
        "--out",
        default="runs/site",
        metavar="DIR",
        help="folder to write to; runs/site unless told",
    )
    parser.add_argument(
        "--repository",
        default=os.environ.get("GITHUB_REPOSITORY", ""),
        metavar="OWNER/NAME",
        help="where the course lies on GitHub, for links that run a chapter on Binder, Colab or "
        "Codespaces; on GitHub's own machines it is known",
    )
    parser.add_argument(
        "--branch", default="main", help="whose notebooks those links open; main unless told"
    )
    parser.add_argument(
        "--still",
        action="store_true",
        help="explorers as still pictures: seconds in place of minutes, and smaller",
    )
    parser.set_defaults(run=site)
