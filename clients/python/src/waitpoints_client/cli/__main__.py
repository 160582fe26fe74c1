from waitpoints_client.cli import main

main()
