# What makes packages: debian/ is at the top because dpkg wants it there.
EXTRA_DIST += packaging/build-deb packaging/build-rpm packaging/compare-builds packaging/install-settings packaging/make-release \
	packaging/needs packaging/sbom \
	packaging/rpm/mcp-fleet.spec packaging/rpm/macros.fedora packaging/rpm/rpmlint.toml \
	debian/changelog debian/control debian/copyright debian/mcp-fleet.postrm debian/mcp-fleet.prerm debian/rules \
	debian/source/format
