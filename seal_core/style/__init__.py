"""Style from any picture: StyleGallery's regions, matching and regional style loss (2603.10354), and the same at
sampling time."""
