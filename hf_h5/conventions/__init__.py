"""Files that other tools write: their markers -> ordinary tables, without the tools that wrote them."""
