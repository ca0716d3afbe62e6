"""Function views. The first line says who may; rows come through `visible_to`; a page that shows a record audits it."""
