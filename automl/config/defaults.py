"""What a study file means where it leaves something out: the only plug-ins that this room names."""

from automl.contracts import PluginSpec

BASELINE_ARM = "random"  # the arm that every study has
BASELINE = PluginSpec("random")  # its strategy
NO_PRUNER = PluginSpec("none")
EXECUTOR = PluginSpec("local")
INLINE = "inline"  # the name of a space whose parameters the study writes itself
TWIN = "-without-memory"  # ends the name of the arm that `twin: true` adds
