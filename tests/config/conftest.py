from collections.abc import Iterator

import pytest
from toy_plugins import write_toy_plugins


@pytest.fixture(scope="module")
def toy_plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The plug-ins that `good_study.GOOD` names."""
    folder = tmp_path_factory.mktemp("plugins")
    write_toy_plugins(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_PLUGINS", str(folder))
        yield
