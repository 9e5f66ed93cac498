"""Nobody else owns our top-level names, and the pure half stays pure when it is imported."""

import subprocess
import sys
from importlib.metadata import packages_distributions

import pytest

OURS = ("waybill", "streams", "plugins", "schemas", "projections")

PURITY = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(*sorted({name.split(".")[0] for name in sys.modules}
              & {"faust", "mode", "aiokafka", "aiohttp", "httpx"}))
"""


@pytest.mark.parametrize("package", OURS)
def test_no_other_distribution_brings_a_package_of_our_name(package: str) -> None:
    owners = set(packages_distributions().get(package, []))
    assert owners <= {"waybill"}, "an editable install names no owner, a wheel names us"


@pytest.mark.parametrize("package", ["streams.core", "schemas", "projections"])
def test_importing_the_pure_half_brings_no_framework(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PURITY, package], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
