"""What targets share on the way from a program to text: templates, names of sizes, source maps, manifests."""
