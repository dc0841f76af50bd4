# The example of the settings: each key with its default. Installed by the packages.
EXTRA_DIST += etc/fleet.yaml
